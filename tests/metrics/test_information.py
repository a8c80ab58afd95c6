"""Mutual information: the recorded bounds, bounds score by score, and Gaussians whose information is known."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from reference import information as reference
from torch import Tensor, nn

from genviews.errors import DataError, NonFiniteError, OptionError, ShapeError
from genviews.metrics import CriticOptions, dv_bound, info_nce_bound, inner_product_proxy, mine, nce_bound, nwj_bound
from genviews.metrics.information import Critic

SMALL = CriticOptions(hidden=32, batch_size=256)


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, Tensor]:
    with np.load(shared / "fixtures" / "loss_mi_bounds" / "io.npz") as arrays:
        return {name: torch.tensor(array) for name, array in arrays.items()}


def test_bounds_are_the_recorded_ones(recorded: dict[str, Tensor]) -> None:
    joint, product = recorded["T0"].requires_grad_(), recorded["T1"].requires_grad_()
    bound = dv_bound(joint, product)
    torch.testing.assert_close(bound, recorded["out_mine"])
    for ours, name in zip(torch.autograd.grad(bound, (joint, product)), ("T0", "T1"), strict=True):
        torch.testing.assert_close(ours, recorded[f"out_grad_mine_{name}"])
    scores = recorded["Tjoint"][..., 0]
    torch.testing.assert_close(nwj_bound(joint, scores), recorded["out_nwj"])
    torch.testing.assert_close(nce_bound(scores), recorded["out_infonce"])


def test_bounds_are_their_definitions_score_by_score() -> None:
    scores = 2 * torch.randn(9, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    joint, product = scores.diagonal(), scores.flatten()
    assert float(dv_bound(joint, scores)) == pytest.approx(reference.donsker_varadhan(joint.tolist(), product.tolist()))
    assert float(nwj_bound(joint, scores)) == pytest.approx(reference.nguyen_wainwright_jordan(joint.tolist(), product.tolist()))
    assert float(nce_bound(scores)) == pytest.approx(reference.info_nce(scores.tolist()))


@pytest.mark.parametrize("bound", [dv_bound, nwj_bound, lambda joint, product: nce_bound(product)])
def test_bounds_have_the_gradients_of_finite_differences(bound: Callable[[Tensor, Tensor], Tensor]) -> None:
    scores = torch.randn(4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda scores: bound(scores.diagonal(), scores), scores)


def test_the_best_critic_reaches_the_information_and_another_stays_below() -> None:
    x, y = reference.gaussians(2000, 3, 0.7)
    true, best = reference.gaussian_information(3, 0.7), reference.gaussian_ratio(x, y, 0.7)
    for scores, offset in ((best, 0.0), (0.5 * best, -0.1)):
        bounds = dv_bound(scores.diagonal(), scores), nwj_bound(scores.diagonal() + 1, scores + 1), nce_bound(scores)
        for value in map(float, bounds):
            assert value == pytest.approx(true, abs=0.06) if offset == 0 else value < true + offset


def test_large_scores_do_not_overflow() -> None:
    scores = torch.tensor([[500.0, 0.0], [0.0, 500.0]])
    assert float(nce_bound(scores)) == pytest.approx(math.log(2))
    assert float(dv_bound(scores.diagonal(), scores)) == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.parametrize(("dim", "correlation"), [(1, 0.9), (2, 0.8), (4, 0.6)])
def test_mine_comes_near_the_information_of_gaussians(dim: int, correlation: float) -> None:
    estimate = mine(*reference.gaussians(6000, dim, correlation), SMALL)
    assert estimate == pytest.approx(reference.gaussian_information(dim, correlation), abs=0.12)


def test_mine_orders_pairs_by_their_information() -> None:
    estimates = [mine(*reference.gaussians(3000, 2, correlation), SMALL) for correlation in (0.0, 0.4, 0.7, 0.9)]
    assert estimates == sorted(estimates) and abs(estimates[0]) < 0.05


def test_what_a_critic_knows_by_heart_does_not_count() -> None:
    """Independent embeddings of so many dimensions that they can be told apart one by one."""
    x, y = torch.randn(2, 256, 64, generator=torch.Generator().manual_seed(0))
    options: dict[str, Any] = {"epochs": 60, "batch_size": 64}
    assert mine(x, y, CriticOptions(held_out=0, **options)) > 1
    assert mine(x, y, CriticOptions(held_out=0.5, **options)) < 0.1


def test_a_seed_gives_one_estimate() -> None:
    pairs = reference.gaussians(1024, 4, 0.5)
    state = torch.get_rng_state()
    assert mine(*pairs, seed=3) == mine(*pairs, seed=3) != mine(*pairs, seed=4)
    assert torch.get_rng_state().equal(state)


def test_the_critic_is_that_of_the_paper() -> None:
    critic = Critic(128, 128)
    assert [tuple(weight.shape) for weight in critic.parameters()] == [(128, 256), (128,), (1, 128), (1,)]
    x, y = torch.randn(2, 5, 128)
    layers: Any = critic.layers
    assert isinstance(layers[1], nn.ReLU)
    expected = F.linear(F.linear(torch.cat([x, y], 1), layers[0].weight, layers[0].bias).relu(), layers[2].weight, layers[2].bias)
    assert critic(x, y).equal(expected[:, 0])


@pytest.mark.parametrize("chunk", [7, 1024])
def test_the_info_nce_bound_is_that_of_cosines(chunk: int) -> None:
    x, y = reference.gaussians(50, 6, 0.8)
    cosines = F.normalize(x, dim=1) @ F.normalize(y, dim=1).T
    torch.testing.assert_close(info_nce_bound(5 * x, y, 0.2, chunk), nce_bound(cosines / 0.2))


def test_the_proxy_is_a_distance_and_a_part_of_the_bound() -> None:
    x, y = reference.gaussians(40, 6, 0.8)
    first, second = F.normalize(x, dim=1), F.normalize(y, dim=1)
    proxy = inner_product_proxy(3 * x, y)
    torch.testing.assert_close(proxy, 1 - (first - second).square().sum(1).mean() / 2)
    others = (first @ second.T / 0.5).exp().mean(1).log().mean()
    torch.testing.assert_close(info_nce_bound(x, y, 0.5), proxy / 0.5 - others)


def test_embeddings_that_cannot_be_compared_are_named() -> None:
    x, y = reference.gaussians(64, 4, 0.5)
    estimators: list[Any] = [mine, info_nce_bound, inner_product_proxy]
    for estimator in estimators:
        with pytest.raises(ShapeError, match=r"\(64, 4\) and \(64, 3\)"):
            estimator(x, y[:, :3])
        broken = y.clone()
        broken[5, 2] = torch.nan
        with pytest.raises(NonFiniteError, match="second embedding of pair 5 is NaN"):
            estimator(x, broken)
        with pytest.raises(DataError, match="all 64 first embeddings are the same; the encoder has collapsed"):
            estimator(torch.ones(64, 4) + 1e-8 * x, y)


def test_too_few_pairs_and_a_bound_that_diverged_are_told() -> None:
    x, y = reference.gaussians(600, 4, 0.5)
    with pytest.raises(DataError, match="learns from 300 of 600 pairs, fewer than its batch of 512; give more pairs"):
        mine(x, y)
    for lr, value in ((1e30, "-?(nan|inf)"), (1e3, "-.*")):
        with pytest.raises(
            NonFiniteError, match=rf"diverged to {value} nats; 600 pairs can tell 0 to 6.4. Take a lower lr than "
        ):
            mine(x, y, CriticOptions(batch_size=100, lr=lr))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"held_out": 1.0}, "held_out is 1.0; it must be in"),
        ({"epochs": 0}, "epochs is 0; it must be positive"),
        ({"hidden": -3}, "hidden is -3; it must be positive"),
        ({"lr": 0.0}, "lr is 0.0; it must be positive"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        CriticOptions(**options)
