"""Priors over the latents of a VQGAN: a GPT over its codes, a DiT over its grids. Each makes it a generator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from .. import generators
from ..data import Images, mapped
from ..errors import OptionError, require_options
from ..generators import VQGAN, CodeGPT, Generator, LatentDiffusion
from ..randomness import derive, normal, pick
from .generator_learner import GeneratorLearner, GeneratorOptions
from .generators import train_learner, write_results


class Prior(GeneratorLearner):
    """What draws latents of an autoencoder that stays as it is.

    Args:
        prior: A generator with the `autoencoder` in it.
        latents: What it makes of the images; see `Latents`.
        options: See `GeneratorOptions`.
    """

    def __init__(self, prior: Any, latents: Any, options: GeneratorOptions):
        prior.autoencoder.requires_grad_(False)
        super().__init__(prior, latents, options)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": [weight for weight in self.generator.parameters() if weight.requires_grad]}]


class CodePrior(Prior):
    """A GPT learns which code follows which: -E[log p(codes)], in nats a code (Esser et al. 2021, eq. 8)."""

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        (codes,), _seeds = batch
        loss = self.generator.transformer.loss(codes)
        self.log("loss", loss)
        return loss


class DiffusionPrior(Prior):
    """A DiT learns the noise e in sqrt(a_t) z + sqrt(1 - a_t) e, t uniform: E|e - e'|^2 (Ho et al. 2020, eq. 14)."""

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        (z,), seeds = batch
        times = pick(derive(seeds, 1), 1000)
        noise = normal(derive(seeds, 2), z[0].numel()).view_as(z)
        loss = F.mse_loss(self.generator.noise(self.generator.scheduler.add_noise(z, noise, times), times).float(), noise)
        self.log("loss", loss)
        return loss


@dataclass(frozen=True)
class Kind:
    """A prior: its generator, what trains it and by which options, and what it takes of images (B, C, H, W)."""

    generator: type[Generator]
    learner: type[Prior]
    options: GeneratorOptions
    latents: Callable[[VQGAN], Callable[[Tensor], Tensor]]


def _standardised(vqgan: VQGAN) -> Callable[[Tensor], Tensor]:
    return lambda images: (vqgan.continuous(images) - vqgan.mean) / vqgan.std


GPT = GeneratorOptions(steps=3000, batch_size=64, lr=5e-4, betas=(0.9, 0.95), weight_decay=0.01, clip=1.0)

DIT = GeneratorOptions(
    steps=5000, batch_size=64, lr=1e-4, betas=(0.9, 0.999), weight_decay=0.0, schedule="constant", clip=1.0, ema=0.999
)

PRIORS: dict[str, Kind] = {
    "gpt": Kind(CodeGPT, CodePrior, GPT, lambda vqgan: vqgan.tokens),
    "dit": Kind(LatentDiffusion, DiffusionPrior, DIT, _standardised),
}
"""The kinds of priors; the DiT's rate is the paper's, with a shorter running average (paper: 0.9999)."""


@dataclass(frozen=True)
class Latents:
    """Latents of images (N, ...) as a source: `latents[indices (B,)] -> (latents,)`."""

    latents: Tensor

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor]:
        return (self.latents[indices],)


def train_prior(
    kind: str,
    autoencoder: Generator,
    images: Images,
    options: GeneratorOptions | None = None,
    out: Path = Path("runs/prior"),
    resume: bool = False,
    *,
    architecture: Mapping[str, Any] | None = None,
    **trainer: Any,
) -> Generator:
    """Trains a prior over the latents of a VQGAN, whose scale was measured when it was trained, and keeps both as a generator.

    Args:
        kind: Of `PRIORS`.
        autoencoder: A `VQGAN`.
        images: Whose latents to learn.
        options: See `GeneratorOptions`; the kind's if None.
        out: Run folder.
        resume: Go on from the last checkpoint in `out`, or return the generator that a finished run left there.
        architecture: Further arguments of `CodeGPT` or `LatentDiffusion`.
        **trainer: Further arguments of `train_learner` and `fit`.

    Raises:
        OptionError: If there is no such kind or architecture, or the autoencoder is no VQGAN, or the images have another shape.
    """
    if kind not in PRIORS:
        raise OptionError(f"kind is {kind!r}; choose {' or '.join(PRIORS)}")
    if not isinstance(autoencoder, VQGAN):
        raise OptionError(f"the autoencoder is a {type(autoencoder).__name__}, whose prior is N(0, I); give a VQGAN")
    if images.image_shape != autoencoder.image_shape:
        raise OptionError(f"this autoencoder takes images {autoencoder.image_shape}; the data are {images.image_shape}")
    if resume and (out / "model.json").exists():
        return generators.load(out)
    how = PRIORS[kind]
    options = options or how.options
    require_options(how.generator, architecture or {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        prior: Any = how.generator(autoencoder.config, **(architecture or {}))
    prior.autoencoder.load_state_dict(autoencoder.state_dict())
    latents = Latents(mapped(how.latents(autoencoder.frozen()), images, 64, autoencoder.device))
    module = how.learner(prior, latents, options)
    results = train_learner(module, latents, kind, out, resume, **trainer)
    trained = module.trained.frozen()
    write_results(out, {"kind": "autoencoder", **results, "config": trained.config, "stage": f"a {kind} prior of its codes"})
    rank_zero_only(generators.save)(trained, out)
    return trained
