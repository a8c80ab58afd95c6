"""Mixtures of queries, keys and negatives against an entry-by-entry loop."""

import pytest
import torch
import torch.nn.functional as F

from genviews.errors import ShapeError
from genviews.losses import extrapolate, interpolate

RNG = torch.Generator().manual_seed(0)
FIRST, SECOND = F.normalize(torch.randn(2, 6, 4, generator=RNG), dim=2)
WEIGHTS = torch.rand(6, 4, generator=RNG)


@pytest.mark.parametrize("weights", [WEIGHTS, torch.tensor(0.3)])
def test_both_are_the_mixtures_of_the_definition(weights: torch.Tensor) -> None:
    queries, keys = extrapolate(FIRST, SECOND, weights)
    permutation = torch.tensor([3, 0, 5, 2, 4, 1])
    negatives = interpolate(FIRST, permutation, weights)
    for i in range(6):
        for d in range(4):
            weight = float(weights.expand(6, 4)[i, d])
            q, k, other = float(FIRST[i, d]), float(SECOND[i, d]), float(FIRST[permutation[i], d])
            assert float(queries[i, d]) == pytest.approx((1 + weight) * q - weight * k, abs=1e-6)
            assert float(keys[i, d]) == pytest.approx((1 + weight) * k - weight * q, abs=1e-6)
            assert float(negatives[i, d]) == pytest.approx(weight * q + (1 - weight) * other, abs=1e-6)


def test_extrapolation_makes_positives_harder() -> None:
    """By one weight w for all, the inner product s becomes s - 2 w (1 + w) (1 - s) (the paper's section 4.1)."""
    queries, keys = extrapolate(FIRST, SECOND, torch.tensor(0.4))
    before, after = (FIRST * SECOND).sum(1), (queries * keys).sum(1)
    torch.testing.assert_close(after, before - 2 * 0.4 * 1.4 * (1 - before))


def test_no_weight_changes_no_positive_and_full_weight_no_negative() -> None:
    torch.testing.assert_close(extrapolate(FIRST, SECOND, torch.tensor(0.0)), (FIRST, SECOND))
    torch.testing.assert_close(interpolate(FIRST, torch.arange(6).flip(0), torch.tensor(1.0)), FIRST)


def test_the_gradient_reaches_the_queries_through_the_keys() -> None:
    queries = FIRST.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(extrapolate(queries, SECOND, WEIGHTS)[1].sum(), queries)
    torch.testing.assert_close(gradient, -WEIGHTS)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="extrapolate takes two"):
        extrapolate(FIRST, SECOND[:3], WEIGHTS)
    with pytest.raises(ShapeError, match=r"weights are \(6,\); pass one, or one for each entry of \(6, 4\)"):
        extrapolate(FIRST, SECOND, WEIGHTS[:, 0])
    with pytest.raises(ShapeError, match=r"a permutation \(K,\), got \(6, 4\) and \(3,\)"):
        interpolate(FIRST, torch.arange(3), WEIGHTS)
    with pytest.raises(ShapeError, match=r"weights are \(2, 4\)"):
        interpolate(FIRST, torch.arange(6), WEIGHTS[:2])
