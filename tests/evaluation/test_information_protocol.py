"""What two views of a kind share, on the digits and on embeddings that can be checked by hand."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviews import augmentations, data, generators, metrics
from genviews.encoders import Embedder
from genviews.errors import DataError, NonFiniteError, OptionError
from genviews.evaluation import Information, Kind, correlations, mutual_information
from genviews.evaluation.information import embed_pairs, gallery, spread
from genviews.latents import Gaussian
from genviews.metrics import CriticOptions
from genviews.randomness import derive, normal, sample_seeds
from genviews.views import GeneratedViews, Pair, RealViews, Views

DIGITS = data.load("digits").train
PIXELS = Embedder(nn.Flatten())
CRITIC = CriticOptions(batch_size=64, epochs=3)


class Noisy(RealViews):
    """Three further views of each image, drawn anew: the image and Gaussian noise."""

    def __init__(self, std: float):
        super().__init__(DIGITS)
        self.std = std

    def forward(self, *fetched: Tensor, seeds: Tensor | None = None, encoder: nn.Module | None = None) -> Pair:
        pair = super().forward(*fetched)
        assert seeds is not None and encoder is not None
        noise = normal(seeds, 3 * 64).view(-1, 3, 1, 8, 8)
        return pair._replace(generated=pair.first[:, None] + self.std * noise)


@pytest.fixture(scope="module")
def table() -> dict[str, Information]:
    kinds = {f"noise {std}": Kind(Noisy(std)) for std in (0.05, 0.2, 0.5, 1.0)}
    return mutual_information(PIXELS, kinds, samples=600, critic=CRITIC, seed=3)


def test_every_number_is_its_metric_of_the_embeddings(table: dict[str, Information]) -> None:
    indices = torch.arange(600) * len(DIGITS) // 600
    image = DIGITS[indices][0].float() / 255
    first = F.normalize(image.flatten(1), dim=1)
    noise = normal(sample_seeds(3, indices), 192)[:, :64].view(-1, 1, 8, 8)
    second = F.normalize((image + 0.2 * noise).flatten(1), dim=1)
    row = table["noise 0.2"]
    torch.testing.assert_close(row.distances, (first - second).norm(dim=1))
    assert row.distance == pytest.approx(float((first - second).norm(dim=1).mean()))
    assert row.proxy == pytest.approx(float((first * second).sum(1).mean()))
    assert row.info_nce == pytest.approx(float(metrics.info_nce_bound(first, second)))
    assert row.mine == pytest.approx(metrics.mine(first, second, CRITIC, seed=3), abs=1e-3)
    assert list(row.numbers()) == ["mine", "info_nce", "proxy", "distance"]


def test_the_noisier_the_less_views_share_and_the_farther_they_are(table: dict[str, Information]) -> None:
    for name in ("mine", "info_nce", "proxy"):
        column = [row.numbers()[name] for row in table.values()]
        assert column == sorted(column, reverse=True)
    assert all(r.spearman == pytest.approx(-1) and r.pearson < -0.8 for r in correlations(table).values())


def test_correlations_are_those_of_numpy_over_kinds(table: dict[str, Information]) -> None:
    columns = np.array([list(row.numbers().values()) for row in table.values()])
    for column, found in zip(columns.T, correlations(table).values(), strict=False):
        assert found.pearson == pytest.approx(np.corrcoef(column, columns[:, 3])[0, 1])
        ranks = column.argsort().argsort(), columns[:, 3].argsort().argsort()
        assert found.spearman == pytest.approx(np.corrcoef(*ranks)[0, 1])


def test_two_kinds_or_kinds_alike_have_no_correlation(table: dict[str, Information]) -> None:
    assert correlations(dict(list(table.items())[:2])) == {}
    assert correlations(dict.fromkeys("abc", table["noise 0.2"])) == {}


def test_a_pair_does_not_depend_on_the_batch() -> None:
    kind = Kind(RealViews(DIGITS), augmentations.create("mnist", 16))
    indices = torch.arange(40)
    whole, parts = (embed_pairs(PIXELS, kind, indices, 5, batch_size) for batch_size in (40, 7))
    torch.testing.assert_close(parts, whole)
    alone = embed_pairs(PIXELS, kind, indices[11:12], 5)
    torch.testing.assert_close(alone[1], whole[1][11:12])
    assert whole[0].shape == (40, 256) and not torch.allclose(*whole)


def test_pairs_of_a_source_are_its_first_and_second() -> None:
    flow = generators.load("digits-flow")
    views = GeneratedViews(flow, Gaussian(0.3), 30, seed=1)
    pair = views(torch.arange(30))
    for ours, images in zip(embed_pairs(PIXELS, Kind(views), torch.arange(30), 0), pair[:2], strict=True):
        torch.testing.assert_close(ours, F.normalize(images.flatten(1), dim=1))


def test_all_kinds_have_as_many_pairs_as_the_smallest_spread_over_each() -> None:
    flow = generators.load("digits-flow")
    kinds = {"few": Kind(GeneratedViews(flow, Gaussian(0.1), 140)), "many": Kind(Noisy(0.1))}
    assert [len(row.distances) for row in mutual_information(PIXELS, kinds, critic=CRITIC).values()] == [140, 140]
    assert spread(10, 4).tolist() == [0, 2, 5, 7] and spread(3, 4).tolist() == [0, 1, 2]


def test_a_gallery_shows_an_image_and_new_draws_of_its_view() -> None:
    images = gallery(PIXELS, Kind(Noisy(0.1)), anchors=4, draws=3, seed=2)
    assert images.shape == (4, 4, 1, 8, 8)
    indices = spread(len(DIGITS), 4)
    anchors = DIGITS[indices][0].float() / 255
    torch.testing.assert_close(images[:, 0], anchors)
    noise = normal(derive(sample_seeds(2, indices), 4), 192)[:, :64].view(-1, 1, 8, 8)
    torch.testing.assert_close(images[:, 2], anchors + 0.1 * noise)
    resized = gallery(PIXELS, Kind(RealViews(DIGITS), augmentations.create("mnist", 16)), anchors=2, draws=1, seed=0)
    assert resized.shape == (2, 2, 1, 16, 16)


def test_the_embedder_and_the_views_are_measured_in_eval_mode_and_put_back() -> None:
    embedder = Embedder(nn.Sequential(nn.Flatten(), nn.Dropout(0.5))).train()
    kind = Kind(Noisy(0.1))
    indices = torch.arange(8)
    torch.testing.assert_close(embed_pairs(embedder, kind, indices, 0), embed_pairs(PIXELS, kind, indices, 0))
    assert all(module.training for module in (*embedder.modules(), *kind.views.modules()))


class Constant(nn.Module):
    def __init__(self, value: float):
        super().__init__()
        self.value = value

    def forward(self, images: Tensor) -> Tensor:
        return torch.full((len(images), 3), self.value)


@pytest.mark.parametrize(
    ("embedder", "kind", "options", "error", "message"),
    [
        (Constant(1.0), Noisy(0.1), {}, DataError, "noise: all 300 first embeddings are the same; the encoder has collapsed"),
        (Constant(torch.nan), Noisy(0.1), {}, NonFiniteError, "noise: the first embedding of pair 0 is NaN"),
        (
            PIXELS,
            Noisy(0.1),
            {"critic": CriticOptions()},
            DataError,
            "noise: the critic learns from 150 of 300 pairs, fewer than",
        ),
        (PIXELS, Noisy(0.1), {"temperature": 0.0}, OptionError, "^temperature is 0.0; it must be positive"),
        (PIXELS, Noisy(0.1), {"samples": 0}, OptionError, "samples is 0; it must be positive"),
    ],
)
def test_what_cannot_be_measured_is_told(
    embedder: nn.Module, kind: Views, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        mutual_information(embedder, {"noise": Kind(kind)}, **{"samples": 300, "critic": CRITIC, **options})


def test_no_kinds_are_refused() -> None:
    with pytest.raises(DataError, match="no kinds of views to compare"):
        mutual_information(PIXELS, {})
