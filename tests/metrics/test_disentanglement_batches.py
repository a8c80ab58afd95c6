from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference import disentanglement as reference
from torch import Tensor

from genviews.errors import DataError, OptionError
from genviews.metrics import beta_vae_score, factor_vae_score
from genviews.metrics.disentanglement_batches import _drawing, least_varied, logistic_accuracy, vote_accuracy

SIZES = (4, 3, 5)
SMALL: dict[str, Any] = {"train": 300, "test": 150, "batch_size": 16}
GRID = torch.cartesian_prod(*(torch.arange(size) for size in SIZES)).repeat(10, 1)


def noisy(factors: Tensor) -> Tensor:
    return factors.float() + 0.01 * torch.sin(factors.float() * 99 + torch.arange(3))


def rotated(factors: Tensor) -> Tensor:
    return noisy(factors) @ torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0))).Q


def test_scores_of_recorded_batches_are_the_reference_librarys(shared: Path) -> None:
    with np.load(shared / "fixtures" / "metrics" / "io.npz") as arrays:
        recorded = {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}
    train, test = ((recorded[f"beta_points_{part}"], recorded[f"beta_labels_{part}"]) for part in ("train", "eval"))
    assert logistic_accuracy(train, test) == pytest.approx(float(recorded["out_beta_eval"]), abs=0.005)
    assert logistic_accuracy(train, train) == pytest.approx(float(recorded["out_beta_train"]), abs=0.005)

    overall = recorded["fvae_variance_codes"].var(0)
    names = ("train", "eval")
    dimensions, labels = (
        [least_varied(recorded[f"fvae_codes_{name}"], overall) for name in names],
        [recorded[f"fvae_factor_{name}"] for name in names],
    )
    for name, chosen, factor in zip(names, dimensions, labels, strict=True):
        votes = torch.zeros(6, 10, dtype=torch.int64).index_put_((factor, chosen), torch.ones(()).long(), accumulate=True)
        assert votes.equal(recorded[f"out_fvae_votes_{name}"])
        score = vote_accuracy((dimensions[0], labels[0]), (chosen, factor))
        assert score == pytest.approx(float(recorded[f"out_fvae_{name}"]), abs=1e-12)


def test_the_dimension_that_varies_least_is_the_naive_one() -> None:
    rng = torch.Generator().manual_seed(0)
    batches, fixed = torch.randn(50, 6, 4, generator=rng), torch.randint(3, (50,), generator=rng)
    overall = torch.tensor([0.5, 1.0, 2.0, 1.0])
    votes = torch.zeros(3, 4, dtype=torch.int64)
    votes.index_put_((fixed, least_varied(batches, overall)), torch.ones(()).long(), accumulate=True)
    assert votes.tolist() == reference.factor_vae_votes(batches.numpy(), fixed.numpy(), overall.numpy(), 3).tolist()


@pytest.mark.parametrize("source", [(noisy, SIZES), (noisy(GRID), GRID)])
def test_a_perfect_code_scores_one(source: tuple[Any, Any]) -> None:
    assert beta_vae_score(*source, **SMALL) > 0.97
    assert factor_vae_score(*source, **SMALL) == 1


def test_a_rotated_code_scores_less_and_noise_hardly_more_than_chance() -> None:
    assert 0.4 < factor_vae_score(rotated, SIZES, **SMALL) < 0.95
    noise = torch.randn(len(GRID), 3, generator=torch.Generator().manual_seed(0))
    assert factor_vae_score(noise, GRID, **SMALL) < 0.5 and beta_vae_score(noise, GRID, **SMALL) < 0.5


@pytest.mark.parametrize("source", [(lambda factors: factors.float(), SIZES), (GRID.float(), GRID)])
def test_groups_share_their_factor_and_draw_the_others_evenly(source: tuple[Any, Any]) -> None:
    draw, count = _drawing(*source)
    shared = torch.arange(3).repeat(700)
    groups = draw(shared, 5, torch.arange(2100) * 7919)
    assert count == 3 and groups.shape == (2100, 5, 3)
    own = groups.gather(2, shared[:, None, None].expand(-1, 5, 1))[..., 0]
    assert own.eq(own[:, :1]).all()
    for factor, size in enumerate(SIZES):
        firsts = groups[shared == factor][:, 0, factor].long().bincount(minlength=size) / 700
        others = groups[shared != factor][:, 1:, factor].flatten().long().bincount(minlength=size) / 5600
        assert (firsts - 1 / size).abs().max() < 0.06 and (others - 1 / size).abs().max() < 0.03


def test_draws_depend_on_the_seed_alone() -> None:
    assert factor_vae_score(rotated, SIZES, **SMALL) == factor_vae_score(rotated, SIZES, **SMALL)
    scores = {factor_vae_score(rotated, SIZES, **SMALL, seed=seed) for seed in range(4)}
    assert len(scores) > 1


def test_dimensions_that_hardly_vary_are_left_out() -> None:
    def encode(factors: Tensor) -> Tensor:
        return torch.cat([1e-3 * torch.ones(len(factors), 1), noisy(factors)], 1)

    assert factor_vae_score(encode, SIZES, **SMALL) == 1
    assert factor_vae_score(lambda factors: 1e-3 * noisy(factors), SIZES, **SMALL) == 0


def test_what_cannot_be_scored_is_refused() -> None:
    mixed: Any = [((noisy, GRID), "number of values"), ((noisy(GRID), SIZES), "number of values"), ((noisy, (4, 1)), "one value")]
    for source, message in mixed:
        with pytest.raises(OptionError, match=message):
            beta_vae_score(*source, **SMALL)
    with pytest.raises(DataError, match=r"the codes of factors \[0, "):
        factor_vae_score(lambda factors: noisy(factors) / factors[:, :1], SIZES, **SMALL)
    with pytest.raises(DataError, match=r"give \(N, D\)"):
        beta_vae_score(noisy(GRID)[1:], GRID, **SMALL)
    with pytest.raises(OptionError, match="batch_size is 1"):
        factor_vae_score(noisy, SIZES, batch_size=1)
    with pytest.raises(OptionError, match="train is 0"):
        beta_vae_score(noisy, SIZES, train=0)
