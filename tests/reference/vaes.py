"""The objectives of VAEs as the papers write them, a sample and a pair of samples at a time; and what processes run."""

import os
import signal
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn.parallel import DistributedDataParallel

from genviews import data
from genviews.generators.base import VAE
from genviews.training.fit import Batches, fit
from genviews.training.generator_learner import GeneratorOptions
from genviews.training.vaes import OBJECTIVES, VAELearner, VAEOptions
from genviews.views import RealViews

VIEWS = RealViews(data.load("digits").train)
Posterior = tuple[Tensor, Tensor, Tensor]
"""A sample z (D,) of a posterior, its mean (D,) and its log-variance (D,)."""


class PlainVAE(VAE):
    """The least VAE of 8 x 8 images."""

    image_shape, latent_dim = (1, 8, 8), 3

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 6))
        self.decoder = nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 64), nn.Sigmoid())

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        return self.decoder(latents).reshape(-1, 1, 8, 8)

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, log_variance


def learner(objective: str, options: GeneratorOptions | None = None, **vae_options: Any) -> VAELearner:
    torch.manual_seed(0)
    chosen = VAEOptions(objective=objective, discriminator_width=16, **vae_options)  # type: ignore[arg-type]
    module = OBJECTIVES[objective](PlainVAE(), VIEWS, options or GeneratorOptions(batch_size=8), chosen)
    module.log_dict = lambda *_: None  # type: ignore[method-assign]
    return module


def infer(vae: VAE, images: Tensor, noise: Tensor) -> list[Posterior]:
    posteriors = []
    for image, n in zip(images, noise, strict=True):
        mean, log_variance = (x[0] for x in vae.posterior(image[None]))
        posteriors.append((mean + torch.exp(0.5 * log_variance) * n, mean, log_variance))
    return posteriors


def reconstruction(vae: VAE, images: Tensor, posteriors: list[Posterior]) -> Tensor:
    total = torch.zeros(())
    for image, (z, _, _) in zip(images, posteriors, strict=True):
        total = total - Bernoulli(vae(z[None])[0], validate_args=False).log_prob(image).sum()
    return total / len(images)


def divergence(posteriors: list[Posterior]) -> Tensor:
    each = [kl_divergence(Normal(m, torch.exp(0.5 * v)), Normal(0.0, 1.0)).sum() for _, m, v in posteriors]
    return torch.stack(each).mean()


def density(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """(D,) of each dimension."""
    return torch.exp(Normal(mean, torch.exp(0.5 * log_variance)).log_prob(z))


def aggregated(own: Tensor, others: list[Tensor], count: int, sampling: str) -> Tensor:
    """q(z) of the densities of z under its own posterior and under those of the rest of the minibatch."""
    m = len(others)
    if sampling == "weighted":  # eq. 3
        return (own + sum(others)) / (count * (m + 1))
    total = torch.zeros(())
    for last in range(m):  # eq. S5, with each of the others as the last
        total = total + own / count + (count - m) / (count * m) * others[last]
        for index, other in enumerate(others):
            total = total + (index != last) * other / m
    return total / m


def decompose(posteriors: list[Posterior], count: int, sampling: str) -> tuple[Tensor, Tensor, Tensor]:
    """Index-code mutual information, total correlation and dimension-wise divergence (eq. 2)."""
    information, correlation, dimension_wise = [], [], []
    for i, (z, mean, log_variance) in enumerate(posteriors):
        own = density(z, mean, log_variance)
        rest = [density(z, m, v) for k, (_, m, v) in enumerate(posteriors) if k != i]
        joint = aggregated(own.prod(), [x.prod() for x in rest], count, sampling)
        marginals = [aggregated(own[j], [x[j] for x in rest], count, sampling) for j in range(len(z))]
        product, prior = torch.stack(marginals).prod(), density(z, torch.zeros(()), torch.zeros(())).prod()
        information.append(torch.log(own.prod() / joint))
        correlation.append(torch.log(joint / product))
        dimension_wise.append(torch.log(product / prior))
    return torch.stack(information).mean(), torch.stack(correlation).mean(), torch.stack(dimension_wise).mean()


def permute(latents: list[Tensor], keys: Tensor) -> list[Tensor]:
    """Algorithm 1 of FactorVAE; the permutation of dimension j sorts the keys [:, j]."""
    permuted = [z.clone() for z in latents]
    for j in range(len(latents[0])):
        for i, source in enumerate(sorted(range(len(latents)), key=lambda row: float(keys[row, j]))):
            permuted[i][j] = latents[source][j]
    return permuted


def discriminator_loss(discriminator: nn.Module, joint: list[Tensor], permuted: list[Tensor]) -> Tensor:
    """Minus the objective of D in algorithm 2."""
    real = torch.stack([torch.log(torch.sigmoid(discriminator(z))) for z in joint]).mean()
    fake = torch.stack([torch.log(1 - torch.sigmoid(discriminator(z))) for z in permuted]).mean()
    return -(real + fake) / 2


def density_ratio(discriminator: nn.Module, latents: list[Tensor]) -> Tensor:
    """The total correlation as D sees it (eq. 3)."""
    d = torch.stack([torch.sigmoid(discriminator(z)) for z in latents])
    return torch.log(d / (1 - d)).mean()


def step(rank: int, store: str, out: str) -> None:
    """One of two processes takes the loss and the gradients of a step of each objective."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    for objective in OBJECTIVES:
        module = learner(objective)
        module.forward = module.training_step  # type: ignore[method-assign]
        distributed = DistributedDataParallel(module)
        loss = distributed(Batches(VIEWS, 8, 0, rank, 2)[0], 0)
        loss.backward()
        torch.save([loss.detach(), *(p.grad for p in module.parameters())], f"{out}{objective}{rank}.pt")
    dist.destroy_process_group()


class Killed(Callback):
    """SIGKILL before the step `at`."""

    def __init__(self, at: int):
        self.at = at

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def train(objective: str, out: Path, kill_at: int = -1, resume: bool = False) -> VAELearner:
    """Ten steps with a checkpoint every three."""
    module = learner(objective, GeneratorOptions(steps=10, batch_size=16, ema=0.9))
    settings = {"accelerator": "cpu", "checkpoint_every": 3, "clip": 50.0, "callbacks": [Killed(kill_at)]}
    fit(module, VIEWS, steps=10, batch_size=16, out=out, resume=resume, **settings)  # type: ignore[arg-type]
    return module
