"""Generators to start from where there is no checkpoint: a flow by maximum likelihood, a VAE by its evidence lower bound."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import AdamW

from .. import augmentations, generators
from ..data import Images
from ..errors import OptionError
from ..generators import BurgessVAE, Generator, RealNVP
from ..randomness import derive, normal
from ..views.sources import RealViews
from .fit import Learner, fit
from .simclr import warmup_cosine


@dataclass(frozen=True)
class GeneratorOptions:
    """How a generator is trained.

    Attributes:
        steps: Optimiser steps.
        batch_size: Images a step.
        lr: Of AdamW, after a short warm-up and before a cosine to zero.
        weight_decay: Of AdamW.
        augmentation: Applied to the images, by name; small affine maps keep a flow from learning a small set by heart.
        beta: Weight of the VAE's KL divergence (Higgins et al. 2017); 1 is the plain evidence lower bound.
        latent_dim: Of the VAE.
        hidden: Width of the flow's couplings.
        couplings: How many the flow has.
        dropout: In the flow's couplings.
        seed: Of everything.
    """

    steps: int = 4000
    batch_size: int = 128
    lr: float = 1e-3
    weight_decay: float = 1e-4
    augmentation: str = "none"
    beta: float = 1.0
    latent_dim: int = 32
    hidden: int = 128
    couplings: int = 8
    dropout: float = 0.1
    seed: int = 0


class _GeneratorLearner(Learner):
    frozen_parts = ("views", "augment")

    def __init__(self, generator: Any, views: RealViews, options: GeneratorOptions):
        super().__init__()
        self.generator, self.views, self.options = generator, views, options
        self.augment = augmentations.create(options.augmentation)

    def configure_optimizers(self) -> Any:
        optimizer = AdamW(self.generator.parameters(), self.options.lr, weight_decay=self.options.weight_decay)
        return {"optimizer": optimizer, "lr_scheduler": warmup_cosine(optimizer, self.options.steps, self.options.steps // 50)}


class MaximumLikelihood(_GeneratorLearner):
    """A flow learns to give dequantised images a high density."""

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        fetched, seeds = batch
        images = self.augment(self.views(*fetched)[0], derive(seeds, 1))
        loss = -self.generator.log_prob(self.generator.dequantise(images, derive(seeds, 2))).mean()
        self.log_dict({"loss": loss, "bits_per_dim": loss / self.generator.latent_dim / math.log(2) + math.log2(self.generator.levels - 1)})
        return loss


class ELBO(_GeneratorLearner):
    """A VAE learns to maximise E_q[log p(x | z)] - beta KL(q(z | x) || N(0, I)), with Bernoulli pixels."""

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        fetched, seeds = batch
        images = self.augment(self.views(*fetched)[0], derive(seeds, 1))
        mean, log_variance = self.generator.posterior(images)
        z = mean + (log_variance / 2).exp() * normal(derive(seeds, 2), self.generator.latent_dim)
        reconstruction = F.binary_cross_entropy(self.generator(z), images, reduction="sum") / len(images)
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean() / 2
        loss = reconstruction + self.options.beta * divergence
        self.log_dict({"loss": loss, "reconstruction": reconstruction, "divergence": divergence})
        return loss


def train_generator(
    family: str, images: Images, options: GeneratorOptions, out: Path, resume: bool = False, **trainer: Any
) -> Generator:
    """Trains a generator on images and saves it for `generators.load`.

    Args:
        family: "realnvp" or "burgess_vae" (32 or 64 px).
        images: To learn from.
        options: See `GeneratorOptions`.
        out: Run folder.
        resume: Go on from the last checkpoint in `out`.
        **trainer: Further arguments of `fit`.

    Raises:
        OptionError: If the family is not trained here, or makes no images of this size.
    """
    views = RealViews(images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        if family == "realnvp":
            flow = RealNVP(images.image_shape, steps=options.couplings, hidden=options.hidden, dropout=options.dropout)
            first = views(*views[torch.arange(min(len(images), 1024))])[0]
            flow.initialise(flow.dequantise(first, torch.arange(len(first))))
            module: _GeneratorLearner = MaximumLikelihood(flow, views, options)
        elif family == "burgess_vae":
            module = ELBO(BurgessVAE(images.image_shape, options.latent_dim), views, options)
        else:
            raise OptionError(f"family {family!r} is not trained here; choose realnvp or burgess_vae")
    fit(
        module,
        views,
        steps=options.steps,
        batch_size=options.batch_size,
        seed=options.seed,
        out=out,
        resume=resume,
        description=family,
        **trainer,
    )
    generators.save(module.generator, out)
    return module.generator.frozen()
