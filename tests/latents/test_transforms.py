import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from genviews.latents import Gaussian, Identity, LatentTransform, Navigator, Resample, Shell, Spherical, distance
from genviews.randomness import normal, sample_seeds

SEEDS = sample_seeds(0, torch.arange(2000))
LATENTS = normal(sample_seeds(1, torch.arange(2000)), 12)


@pytest.mark.parametrize(
    "transform", [Identity(), Gaussian(), Gaussian(0.3, None), Spherical(), Shell(), Resample(), Resample(0.7)]
)
def test_a_sample_moves_by_its_seed_alone(transform: LatentTransform) -> None:
    whole = transform(LATENTS, SEEDS)
    assert whole.shape == LATENTS.shape and whole.dtype == torch.float32
    rows = torch.arange(2000).flip(0).split(700)
    assert torch.cat([transform(LATENTS[part], SEEDS[part]) for part in rows]).equal(whole.flip(0))
    assert transform(LATENTS, SEEDS).equal(whole)


@pytest.mark.parametrize("transform", [Gaussian(), Spherical(), Shell(), Resample()])
def test_a_generator_of_randomness_is_advanced(transform: LatentTransform) -> None:
    def moved(times: int) -> list[Tensor]:
        rng = torch.Generator().manual_seed(3)
        return [transform(LATENTS, rng) for _ in range(times)]

    first, second = moved(2)
    assert not first.equal(second) and moved(1)[0].equal(first)


def test_identity() -> None:
    assert Identity()(LATENTS).equal(LATENTS)


@pytest.mark.parametrize(("std", "truncation"), [(0.2, 2.0), (1.0, 0.5), (0.25, None)])
def test_gaussian_steps_are_a_truncated_normal(std: float, truncation: float | None) -> None:
    steps = (Gaussian(std, truncation)(LATENTS, SEEDS) - LATENTS).double()
    bound = truncation or math.inf
    if truncation:
        assert 0.99 < steps.abs().max() / (std * truncation) < 1 + 1e-5
    assert stats.kstest(steps.flatten(), stats.truncnorm(-bound, bound, scale=std).cdf).pvalue > 1e-3
    assert steps.mean(dim=0).abs().max() < 4 * std / math.sqrt(2000)


def test_genreps_step() -> None:
    assert (Gaussian().std, Gaussian().truncation) == (0.2, 2.0)


@pytest.mark.parametrize("std", [0.05, 0.2, 3.0])
def test_spherical_steps_stay_on_the_sphere(std: float) -> None:
    moved = Spherical(std)(LATENTS, SEEDS)
    torch.testing.assert_close(moved.norm(dim=1), LATENTS.norm(dim=1))
    free = LATENTS + std * normal(SEEDS, 12)
    torch.testing.assert_close(torch.cosine_similarity(moved, free), torch.ones(2000))


@pytest.mark.parametrize("std", [0.2, 3.0])
def test_steps_to_a_shell_have_the_mean_length_of_gaussian_ones_and_their_direction(std: float) -> None:
    steps, free = Shell(std)(LATENTS, SEEDS) - LATENTS, std * normal(SEEDS, 12)
    torch.testing.assert_close(steps.norm(dim=1), torch.full((2000,), std * math.sqrt(12)))
    torch.testing.assert_close(torch.cosine_similarity(steps, free), torch.ones(2000))
    assert steps.square().mean().item() == pytest.approx(free.square().mean().item(), rel=0.03)


@pytest.mark.parametrize(("truncation", "expected"), [(None, stats.norm()), (0.7, stats.truncnorm(-2, 2, scale=0.7))])
def test_resampled_latents_are_the_priors_and_forget_their_anchor(truncation: float | None, expected) -> None:
    transform = Resample(truncation)
    moved = transform(LATENTS, SEEDS)
    assert stats.kstest(moved.flatten(), expected.cdf).pvalue > 1e-3
    assert transform(LATENTS + 5, SEEDS).equal(moved)
    assert torch.corrcoef(torch.cat([LATENTS, moved], dim=1).T)[:12, 12:].abs().max() < 4 / math.sqrt(2000)


@pytest.mark.parametrize("transform", [Identity(), Gaussian(), Spherical(), Shell(), Navigator(12)])
def test_gradients_reach_the_latents(transform: LatentTransform) -> None:
    latents = LATENTS.clone().requires_grad_()
    transform(latents, SEEDS).square().sum().backward()
    assert latents.grad is not None and latents.grad.isfinite().all() and latents.grad.abs().sum() > 0


def test_distance_is_the_root_mean_square_a_dimension() -> None:
    naive = [
        math.sqrt(sum((a - b) ** 2 for a, b in zip(*rows, strict=True)) / 12) for rows in zip(LATENTS, -LATENTS, strict=True)
    ]
    torch.testing.assert_close(distance(LATENTS, -LATENTS), torch.tensor(naive))
    assert distance(LATENTS, LATENTS + 0.3).sub(0.3).abs().max() < 1e-5
