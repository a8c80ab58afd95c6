"""What directions do, where it is known beforehand."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from genviews import generators
from genviews.data.factor_dataset import FactorDataset
from genviews.errors import NonFiniteError, OptionError, ShapeError
from genviews.evaluation.directions import Effects, Walks, directions_cloud, effects, explained, factors_cloud, leading
from genviews.generators import Generator
from genviews.latents import Directions

GAINS = torch.tensor([1.0, 0.5, 0.8, 0.8, 0.0])
VECTORS = torch.tensor([[0, 1, 0, 0, 0], [0, 0, 1, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1.0]])
"""Half a gain, two dimensions mixed, all the gain, nothing."""


class Scale(nn.Module):
    """A pixel a latent, times its gain; brighter by the condition."""

    def forward(self, latents: Tensor, condition: Tensor | None = None) -> Tensor:
        return latents * GAINS + (0 if condition is None else condition[:, None])


class Flat(nn.Module):
    """An encoder whose codes are the pixels."""

    num_features = 5

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


def planted(conditions: int | None = None) -> Generator:
    return generators.wrap(Scale(), latent_dim=5, image_shape=(1, 1, 5), output_range=(0, 1), num_conditions=conditions)


def walks(anchors: int = 4, **options: int) -> Walks:
    return Walks(planted(), Directions.of(VECTORS), anchors, **options)


def test_known_directions_have_their_numbers_and_their_order() -> None:
    found = effects(walks(), Flat(), shift=2.0)
    mixed = 2 * 0.8 / math.sqrt(2)
    torch.testing.assert_close(found.image, 2.0 / 5 * torch.tensor([0.5, mixed, 1, 0]))
    torch.testing.assert_close(found.code, 2.0 * torch.tensor([0.5, 0.8, 1, 0]))
    torch.testing.assert_close(found.domination, torch.tensor([1, 1 - math.log(2) / math.log(5), 1, 0]))
    torch.testing.assert_close(found.agreement, torch.tensor([1.0, 1, 1, 0]))
    ranking = found.ranking()
    assert [row["direction"] for row in ranking] == [2, 1, 0, 3]
    assert [row["dimension"] for row in ranking[:3]] in ([0, 2, 1], [0, 3, 1])
    assert ranking[0]["score"] == pytest.approx(0.4) and ranking[-1]["score"] == 0
    assert found.variations.shape == (4, 8, 5)


def test_agreement_and_domination_are_those_of_double_loops() -> None:
    v = nn.functional.normalize(torch.rand(3, 4, 6, generator=torch.Generator().manual_seed(0)), dim=2)
    found = Effects(torch.ones(3), torch.ones(3), v)
    for k in range(3):
        within = [float(v[k, i] @ v[k, j]) for i, j in product(range(4), repeat=2) if i != j]
        across = [float(v[k, i] @ v[m, j]) for m in range(3) if m != k for i, j in product(range(4), repeat=2)]
        assert float(found.agreement[k]) == pytest.approx(sum(within) / len(within) - sum(across) / len(across), abs=1e-6)
        shares = [sum(float(v[k, i, j]) ** 2 for i in range(4)) / 4 for j in range(6)]
        entropy = -sum(share * math.log(share) for share in shares)
        assert float(found.domination[k]) == pytest.approx(1 - entropy / math.log(6), abs=1e-6)


def test_a_single_direction_of_a_single_code_counts_as_pure() -> None:
    found = Effects(torch.ones(1), torch.ones(1), torch.ones(1, 4, 1))
    assert (found.domination.item(), found.agreement.item(), found.score.item()) == (1, 1, 1)


def test_numbers_are_the_same_again_for_any_batch_and_a_seed_changes_the_anchors() -> None:
    assert effects(walks(), Flat(), 1.0).ranking() == effects(walks(batch_size=3), Flat(), 1.0).ranking()
    assert not torch.equal(walks(seed=0).latents, walks(seed=1).latents)
    assert torch.equal(walks(2).latents, walks(4).latents[:2])


def test_a_walk_shifts_every_anchor_under_its_own_condition() -> None:
    generator = planted(conditions=50)
    found = Walks(generator, Directions.of(VECTORS), anchors=6, batch_size=4)
    assert found.condition is not None and len(found.condition.unique()) > 1
    images = found.along(0, torch.tensor([-1.0, 0, 2]))
    assert images.shape == (6, 3, 1, 1, 5)
    for anchor, (column, shift) in product(range(6), enumerate((-1.0, 0.0, 2.0))):
        expected = (found.latents[anchor] + shift * VECTORS[0]) * GAINS + found.condition[anchor]
        torch.testing.assert_close(images[anchor, column].flatten(), expected)


def test_a_plane_goes_down_the_first_direction_and_right_the_second() -> None:
    found, shifts = walks(), torch.tensor([-1.0, 0, 1])
    plane = found.combined([2, 0], shifts).unflatten(0, (3, 3))
    for down, right in product(range(3), repeat=2):
        expected = (found.latents[0] + shifts[down] * VECTORS[2] + shifts[right] * VECTORS[0]) * GAINS
        torch.testing.assert_close(plane[down, right].flatten(), expected)


@pytest.mark.parametrize("indices", [[1], [1, 1], [0, 4], [-1, 0]])
def test_a_plane_takes_two_directions(indices: list[int]) -> None:
    with pytest.raises(OptionError, match=r"directions are \[.*\]; combine two or more different ones of 0 to 3"):
        walks().combined(indices, torch.linspace(-1, 1, 3))


def test_the_usual_shift_is_three_standard_deviations_of_the_latents() -> None:
    assert walks().usual_shift in (2.9, 3, 3.1)


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ShapeError, match="latents of 3 dimensions, those of Wrapped in space z have 5"):
        Walks(planted(), Directions(3, 2), anchors=1)
    with pytest.raises(OptionError, match="has no latent space 'w'; it has z"):
        Walks(planted(), Directions(5, 2, space="w"), anchors=1)
    with pytest.raises(OptionError, match="anchors is 0"):
        walks(0)
    with pytest.raises(OptionError, match="shift is 0"):
        effects(walks(), Flat(), 0)
    with pytest.raises(NonFiniteError, match="NaN or infinite"):
        effects(walks(), nn.Sequential(Flat(), nn.Linear(5, 2).requires_grad_(False).apply(spoil)), 1.0)


def spoil(layer: nn.Module) -> None:
    assert isinstance(layer, nn.Linear)
    layer.bias.fill_(math.nan)


def test_leading_are_the_best_of_each_dimension_first() -> None:
    ranking = [{"direction": k, "dimension": j} for k, j in ((5, 1), (3, 1), (4, 0), (0, 1), (1, 2))]
    assert leading(ranking) == [5, 4, 1, 3, 0]


def test_explained_is_the_share_of_variance_between_levels() -> None:
    levels = torch.tensor([0, 0, 2, 2, 2])
    codes = torch.tensor([[1.0, 3, 7], [1, 5, 7], [4, 4, 7], [4, 2, 7], [4, 6, 7]])
    torch.testing.assert_close(explained(codes, levels), torch.tensor([1.0, 0, 0]))
    noisy = torch.randn(200, 1, generator=torch.Generator().manual_seed(0))
    many = torch.arange(200) % 4
    means = torch.stack([noisy[many == level].mean() for level in range(4)])
    between = ((means - noisy.mean()) ** 2).mean() / noisy.var(correction=0)
    assert float(explained(noisy, many)) == pytest.approx(float(between), rel=1e-4)


def test_a_cloud_gives_each_direction_the_code_that_follows_it() -> None:
    vectors = torch.eye(5)[[1, 3, 0]]
    cloud = directions_cloud(Walks(planted(), Directions.of(vectors), 2), Flat(), [2, 0, 1], torch.linspace(-1, 1, 4))
    assert cloud.dimensions == (0, 1, 3) and cloud.names == ("direction 2", "direction 0", "direction 1")
    assert cloud.codes.shape == cloud.levels.shape == (64, 3)
    assert cloud.levels.unique().tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    centred = cloud.codes - cloud.codes.mean(0)
    torch.testing.assert_close(centred, (2 * cloud.levels - 1) * GAINS[[0, 1, 3]], atol=1e-5, rtol=0)


def factor_pixels(sizes: tuple[int, ...], weights: tuple[int, ...]) -> FactorDataset:
    """A pixel a factor, in steps of its weight."""

    def read(indices: Tensor) -> Tensor:
        factors = torch.stack(torch.unravel_index(indices, sizes), 1) * torch.tensor(weights)
        return factors.to(torch.uint8)[:, None, None]

    return FactorDataset(tuple("abcde"[: len(sizes)]), sizes, (1, 1, len(sizes)), read)


def test_a_cloud_of_factors_takes_those_the_code_explains_with_the_others_fixed() -> None:
    data = factor_pixels((4, 3, 20, 2, 3), (20, 0, 10, 30, 20))

    class Noisy(nn.Module):
        """Its third code mixes factors c and d, d the less."""

        def forward(self, images: Tensor) -> Tensor:
            a, _, c, d, e = images.flatten(1).unbind(1)
            return torch.stack([0 * a, e, a, c + 0.3 * d], 1)

    cloud = factors_cloud(Noisy(), data, torch.device("cpu"), values=5)
    assert cloud.names == ("a", "c", "e") and cloud.dimensions == (2, 3, 1)
    assert len(cloud.codes) == 4 * 5 * 3 and cloud.levels.unique(dim=0).shape[0] == 60
    assert explained(cloud.codes, (cloud.levels[:, 1] * 4).round().long())[1] == pytest.approx(1, abs=1e-5)


def test_a_cloud_takes_three_factors_and_three_codes() -> None:
    with pytest.raises(OptionError, match="the data have the factors a, b; a picture of the codes takes three"):
        factors_cloud(Flat(), factor_pixels((2, 2), (1, 1)), torch.device("cpu"))
    with pytest.raises(OptionError, match="the encoder has 2 codes"):
        factors_cloud(nn.Sequential(Flat(), nn.Linear(3, 2)), factor_pixels((2, 2, 2), (9, 9, 9)), torch.device("cpu"))
