"""Generators to start from where there is no checkpoint: a flow by maximum likelihood, a VAE by its evidence lower bound."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import AdamW

from .. import generators
from ..data import Images
from ..errors import OptionError, require_positive
from ..generators import BurgessVAE, Generator, RealNVP
from ..randomness import normal
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
        clip: Largest norm of a gradient.
        seed: Of everything.
        latent_dim: Of the VAE.
        beta: Weight of the VAE's KL divergence (Higgins et al. 2017); 1 is the plain evidence lower bound.
        couplings: How many the flow has.
        hidden: Width of the flow's couplings.
        dropout: In the flow's couplings; what keeps it from learning a small set by heart.
        margin: How far the flow's logit keeps from black and white.
        levels: Grey values of the flow's images: 17 for digits, 256 for 8-bit images.
    """

    steps: int = 1500
    batch_size: int = 128
    lr: float = 3e-3
    weight_decay: float = 1e-2
    clip: float = 50.0
    seed: int = 0
    latent_dim: int = 32
    beta: float = 1.0
    couplings: int = 10
    hidden: int = 192
    dropout: float = 0.35
    margin: float = 0.01
    levels: int = 256

    def __post_init__(self) -> None:
        sizes = {"latent_dim": self.latent_dim, "couplings": self.couplings, "hidden": self.hidden}
        require_positive(steps=self.steps, batch_size=self.batch_size, lr=self.lr, clip=self.clip, **sizes)


class _GeneratorLearner(Learner):
    frozen_parts = ("views",)

    def __init__(self, generator: Any, views: RealViews, options: GeneratorOptions):
        super().__init__()
        self.generator, self.views, self.options = generator, views, options

    def configure_optimizers(self) -> Any:
        o = self.options
        optimizer = AdamW(self.generator.parameters(), o.lr, betas=(0.9, 0.99), weight_decay=o.weight_decay)
        return {"optimizer": optimizer, "lr_scheduler": warmup_cosine(optimizer, o.steps, o.steps // 15)}


class MaximumLikelihood(_GeneratorLearner):
    """A flow learns to give dequantised images a high density."""

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], step: int) -> Tensor:
        fetched, seeds = batch
        flow, (images, _) = self.generator, self.views(*fetched)
        loss = -flow.log_prob(flow.dequantise(images, seeds)).mean()
        self.log_dict({"loss": loss, "bits_per_dim": loss / math.log(2) / flow.latent_dim + math.log2(flow.levels - 1)})
        return loss


class ELBO(_GeneratorLearner):
    """A VAE learns to maximise E_q[log p(x | z)] - beta KL(q(z | x) || N(0, I)), with Bernoulli pixels."""

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], step: int) -> Tensor:
        fetched, seeds = batch
        images, _ = self.views(*fetched)
        mean, log_variance = self.generator.posterior(images)
        z = mean + (log_variance / 2).exp() * normal(seeds, self.generator.latent_dim)
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
        resume: Go on from the last checkpoint in `out`, or return the generator that a finished run left there.
        **trainer: Further arguments of `fit`.

    Raises:
        OptionError: If the family is not trained here, or makes no images of this size.
    """
    if resume and (out / "model.json").exists():
        return generators.load(out)
    views = RealViews(images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        if family == "realnvp":
            o = options
            flow = RealNVP(images.image_shape, o.couplings, o.hidden, o.levels, o.dropout, margin=o.margin)
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
        clip=options.clip,
        **trainer,
    )
    generators.save(module.generator, out)
    return module.generator.frozen()
