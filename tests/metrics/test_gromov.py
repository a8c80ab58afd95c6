"""Distances across dimensions, on spaces whose distance is known."""

import math

import numpy as np
import pytest
import torch
from reference.geometry import shadow_distance
from torch import Tensor

from genviews.errors import DataError, OptionError
from genviews.metrics import cai_lim, gromov_wasserstein


def points(n: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def principal(x: Tensor, dim: int) -> Tensor:
    centred = x - x.mean(0)
    return centred @ torch.linalg.svd(centred).Vh[:dim].T


def rotation(dim: int) -> Tensor:
    return torch.linalg.qr(points(dim, dim, seed=9)).Q


def test_two_points_at_three_and_two_points_at_one_are_two_apart() -> None:
    assert gromov_wasserstein(torch.tensor([[0.0], [3.0]]), torch.tensor([[0.0, 0.0], [0.0, 1.0]])) == 2.0


def test_an_isometry_keeps_all_distances() -> None:
    x = points(30, 3)
    moved = torch.cat([x @ rotation(3) + 5, torch.zeros(30, 2)], dim=1)
    assert gromov_wasserstein(x, moved, paired=True, restarts=0) == pytest.approx(0, abs=1e-9)
    shuffled = moved[torch.randperm(30, generator=torch.Generator().manual_seed(0))]
    assert gromov_wasserstein(x, shuffled, restarts=20) == pytest.approx(0, abs=1e-9)


def test_of_paired_samples_the_identity_is_tried_and_more_starts_never_find_more() -> None:
    for seed in range(3):
        x = points(60, 10, seed)
        y = principal(x, 2)
        blind = gromov_wasserstein(x, y, restarts=0)
        paired = gromov_wasserstein(x, y, paired=True, restarts=0)
        change = torch.cdist(x, x) - torch.cdist(y, y)
        assert paired <= min(blind, float(change.square().mean()))
        assert gromov_wasserstein(x, y, paired=True, restarts=2) <= paired


def test_sets_of_different_sizes_have_a_distance_too() -> None:
    x, y = points(20, 3), points(30, 2, seed=1)
    assert 0 < gromov_wasserstein(x, y, restarts=2) == pytest.approx(gromov_wasserstein(x, y, restarts=2))


@pytest.mark.parametrize("dims", [(2, 5), (5, 2), (3, 3)])
def test_a_shadow_is_at_no_distance(dims: tuple[int, int]) -> None:
    large = points(40, max(dims)) @ torch.diag(torch.linspace(1, 2, max(dims)).double())
    small = (large @ rotation(max(dims)))[:, : min(dims)] + 4
    x, y = (small, large) if dims[0] == small.shape[1] else (large, small)
    assert cai_lim(x, y, paired=True, restarts=0) == pytest.approx(0, abs=1e-3)
    assert cai_lim(x, principal(x, 1)) == pytest.approx(0, abs=1e-6)


def test_a_line_longer_than_any_shadow_is_what_it_is_longer() -> None:
    plane = points(50, 2) * torch.tensor([3.0, 1.0])
    longest = principal(plane, 1)
    assert cai_lim(3 * longest, plane) == pytest.approx(2 * float(longest.std(correction=0)), rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_a_line_and_a_plane_are_as_far_as_the_best_of_all_angles(seed: int) -> None:
    line, plane = 2 * points(15, 1, seed), points(15, 2, seed + 10)
    expected = shadow_distance(line[:, 0].numpy(), plane.numpy())
    assert cai_lim(line, plane, restarts=20) == pytest.approx(expected, rel=1e-3)


def test_many_empty_dimensions_are_as_good_as_two() -> None:
    small, large = points(12, 2, seed=1), points(12, 3)
    padded, wide = (torch.cat([large, torch.zeros(12, room)], dim=1) for room in (2, 60))
    turned = wide @ rotation(63)
    assert cai_lim(small, turned, paired=True, restarts=0) == pytest.approx(cai_lim(small, padded, paired=True, restarts=0))


def test_equal_dimensions_are_compared_up_to_a_rigid_motion() -> None:
    x = points(25, 3)
    assert cai_lim(x, x @ rotation(3) + 2) == pytest.approx(0, abs=1e-6)
    assert cai_lim(x, 3 * x, paired=True) == pytest.approx(2 * math.sqrt(float(x.var(0, correction=0).sum())))


@pytest.mark.parametrize("distance", [gromov_wasserstein, cai_lim])
def test_what_has_no_distance_is_refused(distance) -> None:
    x = points(6, 3)
    with pytest.raises(DataError, match="there are 6 x, 5 y; give as many of each"):
        distance(x, x[1:], paired=True)
    with pytest.raises(DataError, match=r"y have shape \(1, 3\); give \(N, D\) with two samples or more"):
        distance(x, x[:1])
    with pytest.raises(DataError, match="x have a NaN or infinite value in row 0"):
        distance(x * np.nan, x)
    with pytest.raises(OptionError, match="restarts is -1; it is 0 or more"):
        distance(x, x, restarts=-1)
