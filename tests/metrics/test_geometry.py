"""The shape of representations, on sets of which it is known."""

import math

import pytest
import torch
from torch import Tensor

from genviews.errors import DataError, OptionError
from genviews.metrics import alignment, codebook_perplexity, participation_ratio, uniformity
from genviews.metrics.geometry import spread, standardise


def points(n: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def test_positives_at_right_angles_are_the_square_root_of_two_apart() -> None:
    first, second = torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 2.0], [0.0, 5.0]])
    assert alignment(first, second) == pytest.approx((2 + 0) / 2)
    assert alignment(first, second, exponent=1) == pytest.approx(math.sqrt(2) / 2)
    assert alignment(first, 7 * first) == 0


def test_uniformity_is_the_loop_over_pairs() -> None:
    features = points(9, 3)
    unit = features / features.norm(dim=1, keepdim=True)
    pairs = [math.exp(-1.5 * float((unit[i] - unit[j]).square().sum())) for i in range(9) for j in range(i)]
    assert uniformity(features, t=1.5) == pytest.approx(math.log(sum(pairs) / len(pairs)), abs=1e-6)


def test_uniformity_of_one_direction_is_zero_and_of_two_opposite_points_least() -> None:
    assert uniformity(torch.tensor([[1.0, 2.0], [2.0, 4.0]])) == pytest.approx(0, abs=1e-6)
    assert uniformity(torch.tensor([[1.0, 0.0], [-3.0, 0.0]])) == pytest.approx(-8)


@pytest.mark.parametrize("n", [6, 400])
def test_participation_ratio_is_that_of_the_eigenvalues(n: int) -> None:
    features = points(n, 20) * torch.linspace(0.1, 2, 20)
    eigenvalues = torch.linalg.eigvalsh(features.double().T.cov())
    assert participation_ratio(features) == pytest.approx(float(eigenvalues.sum() ** 2 / eigenvalues.square().sum()))


def test_participation_ratio_of_a_line_is_one_and_of_a_cube_its_dimension() -> None:
    assert participation_ratio(points(50, 1) @ points(1, 8)) == pytest.approx(1)
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 5)
    assert participation_ratio(corners + 3) == pytest.approx(5)


def test_codebook_perplexity_counts_the_entries_that_are_used() -> None:
    assert codebook_perplexity(torch.arange(12).view(3, 4) % 4, size=100) == pytest.approx(4)
    assert codebook_perplexity(torch.zeros(5, dtype=torch.long), size=8) == 1
    assert codebook_perplexity(torch.tensor([0, 0, 0, 1]), size=2) == pytest.approx(
        math.exp(0.75 * math.log(4 / 3) + 0.25 * math.log(4))
    )


def test_standardised_points_have_no_mean_and_a_total_variance_of_one() -> None:
    found = standardise(5 * points(30, 4) + 100)
    torch.testing.assert_close(found.mean(0), torch.zeros(4, dtype=torch.float64))
    assert float(found.square().sum(1).mean()) == pytest.approx(1)
    assert spread(torch.tensor([[0.0, 0.0], [6.0, 8.0]])) == pytest.approx(5)


def test_what_has_no_geometry_is_refused() -> None:
    with pytest.raises(DataError, match=r"features have shape \(1, 3\); give \(N, D\) with two samples or more"):
        uniformity(torch.ones(1, 3))
    with pytest.raises(DataError, match="features have a NaN or infinite value in row 1"):
        participation_ratio(torch.tensor([[1.0], [math.inf]]))
    with pytest.raises(DataError, match="features are all one point, which has no geometry"):
        participation_ratio(torch.full((5, 3), 0.1))
    with pytest.raises(DataError, match=r"positives are \(4, 3\) and \(4, 2\); take both from one encoder"):
        alignment(points(4, 3), points(4, 2))
    with pytest.raises(OptionError, match="t is -1; it must be positive"):
        uniformity(points(4, 3), t=-1)
    with pytest.raises(DataError, match="codes are from 0 to 8; a codebook of 8 has 0 to 7"):
        codebook_perplexity(torch.arange(9), size=8)
    with pytest.raises(DataError, match=r"codes are torch.float32 \(2,\); give one or more integers"):
        codebook_perplexity(torch.ones(2), size=8)
