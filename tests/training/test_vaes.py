"""Objectives of VAEs: each is its paper's equation, learns, and ends the same on two processes and after a kill."""

import math
import signal
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from reference import vaes as naive
from reference.vaes import VIEWS, learner
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from genviews import data
from genviews.errors import OptionError
from genviews.generators import BurgessVAE
from genviews.randomness import derive, normal, uniform
from genviews.training.fit import Batches, fit
from genviews.training.generator_learner import GeneratorOptions
from genviews.training.vaes import (
    OBJECTIVES,
    VAELearner,
    VAEOptions,
    decompose,
    negative_log_likelihood,
    permute_dimensions,
)
from genviews.views import RealViews

BATCH = Batches(VIEWS, 8, seed=0)[0]
IMAGES, SEEDS = VIEWS(*BATCH[0])[0], BATCH[1]


def gradients(loss: Tensor, module: torch.nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [*module.parameters()], retain_graph=True))


def agree(module: VAELearner, expected: Tensor) -> None:
    loss = module.training_step(BATCH, 0)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(gradients(loss, module), gradients(expected, module), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_beta_vae_is_equation_4() -> None:
    module = learner("beta", beta=3.0)
    posteriors = naive.infer(module.generator, IMAGES, normal(SEEDS, 3))
    agree(module, naive.reconstruction(module.generator, IMAGES, posteriors) + 3 * naive.divergence(posteriors))


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
def test_beta_tcvae_is_equation_4_of_the_parts_of_equation_2(sampling: str) -> None:
    module = learner("tc", alpha=2.0, beta=5.0, gamma=0.5, sampling=sampling)
    posteriors = naive.infer(module.generator, IMAGES, normal(SEEDS, 3))
    information, correlation, dimension_wise = naive.decompose(posteriors, len(VIEWS), sampling)
    expected = naive.reconstruction(module.generator, IMAGES, posteriors)
    agree(module, expected + 2 * information + 5 * correlation + 0.5 * dimension_wise)


def test_factor_vae_is_algorithm_2() -> None:
    module = learner("factor", gamma=7.0)
    vae, discriminator = module.generator, module.discriminator
    posteriors = naive.infer(vae, IMAGES, normal(SEEDS, 3))
    latents = [z for z, _, _ in posteriors]
    permuted = naive.permute([z.detach() for z in latents[4:]], uniform(derive(SEEDS, 1), 3)[4:])
    told = naive.discriminator_loss(discriminator, [z.detach() for z in latents[:4]], permuted)
    bound = naive.reconstruction(vae, IMAGES, posteriors) + naive.divergence(posteriors)
    expected = bound + 7 * naive.density_ratio(discriminator, latents)
    loss = module.training_step(BATCH, 0)
    torch.testing.assert_close(loss, expected + told, rtol=1e-5, atol=1e-5)
    for part, value in ((vae, expected), (discriminator, told)):
        for ours, theirs in zip(gradients(loss, part), gradients(value, part), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(a.equal(b) for a, b in zip(first, second, strict=True))


def test_neither_player_of_factor_vae_learns_from_the_others_loss() -> None:
    """To the bit: a VAE with gamma = 0 does not see what D is, and D does not see gamma."""

    def players(gamma: float, scale: float = 1.0) -> tuple[list[Tensor], list[Tensor]]:
        module = learner("factor", gamma=gamma)
        for parameter in module.discriminator.parameters():
            parameter.data.mul_(scale)
        loss = module.training_step(BATCH, 0)
        return gradients(loss, module.generator), gradients(loss, module.discriminator)

    (vae, discriminator), (minding, same_discriminator), (same_vae, other) = players(0), players(35), players(0, scale=3)
    assert equal(discriminator, same_discriminator)
    assert not equal(vae, minding)
    assert equal(vae, same_vae)
    assert not equal(discriminator, other)


def test_the_discriminator_has_its_own_rate_and_moments() -> None:
    module = learner("factor", GeneratorOptions(batch_size=8, lr=3e-3, schedule="constant"), discriminator_lr=2e-4)
    vae, discriminator = module.configure_optimizers().param_groups
    assert (vae["lr"], vae["betas"], discriminator["lr"], discriminator["betas"]) == (3e-3, (0.9, 0.99), 2e-4, (0.5, 0.9))
    learned = {id(p) for group in (vae, discriminator) for p in group["params"]}
    assert learned == {id(p) for p in module.parameters()}


def test_permuting_keeps_the_marginals_and_breaks_the_dependence() -> None:
    z = torch.arange(500.0)[:, None].expand(500, 4)
    permuted = permute_dimensions(z, torch.arange(500))
    assert permuted.sort(dim=0).values.equal(z)
    assert (torch.corrcoef(permuted.T) - torch.eye(4)).abs().max() < 0.15
    assert not permuted.equal(permute_dimensions(z, torch.arange(500) + 1))


def test_over_the_whole_data_set_the_parts_are_exact() -> None:
    """Against the density of the mixture, and in sum the KL divergence, up to Monte Carlo."""
    mean, log_variance = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([[[1.5]], [[0.4]]])
    posterior, prior = Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)
    draws = torch.stack([mean + posterior.scale * normal(torch.arange(6) + 6 * i, 2) for i in range(4000)])
    ours = torch.tensor([decompose(z, mean, log_variance, 6) for z in draws])
    even = Categorical(torch.ones(6))
    joint = MixtureSameFamily(even, Independent(posterior, 1)).log_prob(draws)
    marginals = sum(MixtureSameFamily(even, Normal(mean[:, j], posterior.scale[:, j])).log_prob(draws[..., j]) for j in range(2))
    each = posterior.log_prob(draws).sum(2) - joint, joint - marginals, marginals - prior.log_prob(draws).sum(2)
    torch.testing.assert_close(ours, torch.stack([x.mean(1) for x in each], 1), rtol=1e-4, atol=1e-5)
    error = ours.sum(1).std() / math.sqrt(len(draws))
    assert abs(ours.sum(1).mean() - kl_divergence(posterior, prior).sum(1).mean()) < 4 * error


def test_the_parts_of_a_correlated_normal_are_its_closed_forms() -> None:
    """q(z) = N(0, [[1, r], [r, 1]]) of posteriors of variance v: TC = -log(1 - r^2) / 2, I = log(det) / 2 - log v, the rest 0."""
    r, v, n = 0.6, 0.3, 1500
    root = torch.linalg.cholesky(torch.tensor([[1.0, r], [r, 1.0]]) - v * torch.eye(2))
    mean = normal(torch.arange(n), 2) @ root.T
    log_variance = torch.full((n, 2), math.log(v))
    z = mean + math.sqrt(v) * normal(torch.arange(n) + n, 2)
    expected = torch.tensor([math.log(1 - r**2) / 2 - math.log(v), -math.log(1 - r**2) / 2, 0.0])
    torch.testing.assert_close(torch.stack(decompose(z, mean, log_variance, n)), expected, rtol=0, atol=0.05)


def test_pixels_at_and_beyond_the_ends() -> None:
    images, options = torch.rand(2, 1, 3, 3, generator=torch.Generator().manual_seed(0)), VAEOptions()
    pixels = images.flip(0)
    expected = F.binary_cross_entropy(pixels, images, reduction="sum") / 2
    torch.testing.assert_close(negative_log_likelihood(pixels, images, options), expected)
    black = torch.zeros_like(images).requires_grad_()
    loss = negative_log_likelihood(black, images, options)
    assert loss.isfinite()
    assert torch.autograd.grad(loss, black)[0].isfinite().all()
    assert negative_log_likelihood(pixels * torch.nan, images, options).isnan()


def test_gaussian_pixels_are_a_normal_density_less_its_constant() -> None:
    module = learner("beta", likelihood="gaussian", std=0.2)
    pixels = module.generator(normal(SEEDS, 3))
    density, constant = Normal(pixels, 0.2).log_prob(IMAGES), Normal(0.0, 0.2).log_prob(torch.tensor(0.0))
    expected = (constant - density).flatten(1).sum(1).mean()
    torch.testing.assert_close(negative_log_likelihood(pixels, IMAGES, module.vae_options), expected)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_in_half_precision_losses_stay_float32(objective: str) -> None:
    module = learner(objective)
    whole = module.training_step(BATCH, 0)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = module.training_step(BATCH, 0)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, whole, rtol=1e-2, atol=0)
    assert not mixed.equal(whole)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_it_learns_the_digits(objective: str) -> None:
    options = GeneratorOptions(steps=60, batch_size=64)
    torch.manual_seed(0)
    views = RealViews(data.load("digits", 32).train)
    chosen = VAEOptions(objective=objective, discriminator_width=32)  # type: ignore[arg-type]
    module = OBJECTIVES[objective](BurgessVAE((1, 32, 32), 6), views, options, chosen)
    rows = fit(module, views, steps=60, batch_size=64, accelerator="cpu", log_every=5, clip=50.0).rows
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    assert {"reconstruction", "divergence"} < rows[-1].keys()


def test_two_processes_take_the_step_of_one(tmp_path: Path) -> None:
    """beta-TCVAE too, whose estimate is of the global batch. FactorVAE halves and permutes the local one: there, ranks agree."""
    torch.multiprocessing.spawn(naive.step, (f"{tmp_path}/store", f"{tmp_path}/"), nprocs=2)
    for objective in OBJECTIVES:
        ranks = [torch.load(tmp_path / f"{objective}{rank}.pt") for rank in range(2)]
        for first, second in zip(ranks[0][1:], ranks[1][1:], strict=True):
            assert first.equal(second)
        if objective != "factor":
            module = learner(objective)
            loss = module.training_step(BATCH, 0)
            torch.testing.assert_close((ranks[0][0] + ranks[1][0]) / 2, loss.detach(), rtol=1e-5, atol=1e-6)
            for ours, theirs in zip(ranks[0][1:], gradients(loss, module), strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_killed_it_resumes_to_the_same_weights(tmp_path: Path) -> None:
    """Those of the VAE, of its running average and of the discriminator, to the bit, after a SIGKILL."""
    whole = naive.train("factor", tmp_path / "whole")
    process = torch.multiprocessing.get_context("spawn").Process(target=naive.train, args=("factor", tmp_path / "killed", 7))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    resumed = naive.train("factor", tmp_path / "killed", resume=True)
    assert any("discriminator" in name for name in whole.state_dict())
    assert any("average" in name for name in whole.state_dict())
    for (name, ours), theirs in zip(resumed.state_dict().items(), whole.state_dict().values(), strict=True):
        assert ours.equal(theirs), name


def test_impossible_options_are_refused() -> None:
    with pytest.raises(OptionError, match="objective is 'dip'; choose beta or tc or factor"):
        VAEOptions(objective="dip")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"alpha is 2.0; objective 'beta' takes beta, at least 0"):
        VAEOptions(alpha=2.0)
    with pytest.raises(OptionError, match=r"gamma is -1.0; objective 'tc' takes alpha, beta, gamma, at"):
        VAEOptions(objective="tc", gamma=-1.0)
    with pytest.raises(OptionError, match="likelihood is 'laplace'"):
        VAEOptions(likelihood="laplace")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="discriminator_lr is 0; it must be positive"):
        VAEOptions(discriminator_lr=0)
    with pytest.raises(OptionError, match="batch_size is 2; FactorVAE permutes half a batch"):
        learner("factor", GeneratorOptions(batch_size=2))
