"""GenRep's steering (Jahanian et al. 2022): walks in the latent space that imitate edits of the image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torch.optim import Adam
from torchvision.utils import save_image

from .. import latents
from ..augmentations import edit, edits_of
from ..errors import OptionError, require_positive
from ..generators.base import Generator
from ..latents import LENGTHS, LatentTransform, Steering
from ..randomness import derive, sample_seeds
from ..views.sources import draw_conditions
from .fit import Learner, Seeds, fit

ANCHORS, LENGTHS_SHOWN = 3, 9


@dataclass(frozen=True, kw_only=True)
class SteeringOptions:
    """How walks are trained; the defaults suit small images and a CPU, GenRep takes 5,000 steps of 32 at a rate of 1e-3.

    Attributes:
        edits: Those to learn, of `augmentations.edits_of`; all that fit the images if None.
        hidden: Width of the hidden layer of an MLP, which lowers the error by blurring too; a vector an edit if None.
        steps: Optimiser steps.
        batch_size: Latents a step.
        lr: Of Adam.
        truncation: psi of the latents; None for the generator's own.
        seed: Of the walks and every sample's randomness.
    """

    edits: tuple[str, ...] | None = None
    hidden: int | None = None
    steps: int = 500
    batch_size: int = 64
    lr: float = 1e-2
    truncation: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(hidden=self.hidden, steps=self.steps, batch_size=self.batch_size, lr=self.lr, truncation=self.truncation)


class SteeringLearner(Learner):
    """Walks so that G(z') is the edited G(z), by the mean squared error where the edited image has pixels.

    Args:
        generator: G, frozen; a conditional one draws its conditions uniformly.
        steering: The walks.
        options: See `SteeringOptions`.
    """

    frozen_parts = ("generator",)

    def __init__(self, generator: Generator, steering: Steering, options: SteeringOptions):
        super().__init__()
        self.generator, self.steering, self.options = generator, steering, options

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        z, condition = _draw(self.generator, batch[1], self.options.truncation)
        alphas = self.steering.draw(derive(batch[1], 1))
        with torch.no_grad():
            amounts = dict(zip(self.steering.edits, alphas.unbind(1), strict=True))
            targets, mask = edit(self.generator(z, condition), amounts)
        errors = (self.generator(z + self.steering.displacement(z, alphas), condition) - targets).square().mean(1, keepdim=True)
        loss = (mask * errors).sum() / mask.sum().clamp(min=1)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return Adam(self.steering.parameters(), self.options.lr)


def _draw(generator: Generator, seeds: Tensor, truncation: float | None) -> tuple[Tensor, Tensor | None]:
    """Anchors: latents (B, D) and, for a conditional generator, conditions (B,)."""
    return generator.sample_latents(len(seeds), truncation=truncation, rng=seeds), draw_conditions(generator, seeds)


def train_steering(
    generator: Generator, options: SteeringOptions, out: Path | None = None, resume: bool = False, **trainer: Any
) -> LatentTransform:
    """Trains GenRep's walks from the generator alone; no image and no label enters.

    Args:
        generator: G, of grey or RGB images.
        options: See `SteeringOptions`.
        out: Run folder for checkpoints, `metrics.csv`, the walks (`model.safetensors` and `model.json`) and `images/walks.png`,
            three rows an edit: an anchor a row, from the shortest walk to the longest. None keeps nothing.
        resume: Go on from the last checkpoint in `out`, or return what a finished run left there.
        **trainer: Further arguments of `fit`.

    Returns:
        The `Steering`, frozen.

    Raises:
        OptionError: If an edit is unknown or does not fit the images.
        ShapeError: If the images are neither grey nor RGB.
    """
    if resume and out and (out / "model.json").exists():
        return latents.load(out)
    fitting = edits_of(generator.image_shape[0])
    edits = fitting if options.edits is None else options.edits
    if other := [name for name in edits if name not in fitting]:
        raise OptionError(f"edit {other[0]!r} is none of images {generator.image_shape}; choose from {', '.join(fitting)}")
    steering = Steering(generator.latent_dim, edits, options.hidden, options.seed)
    fit(
        SteeringLearner(generator, steering, options),
        Seeds(options.steps * options.batch_size),
        steps=options.steps,
        batch_size=options.batch_size,
        seed=options.seed,
        out=out,
        resume=resume,
        description="steering",
        **trainer,
    )
    steering.eval().requires_grad_(False)
    if out:
        rank_zero_only(_keep)(generator, steering, options, out)
    return steering


@torch.no_grad()
def _keep(generator: Generator, steering: Steering, options: SteeringOptions, out: Path) -> None:
    """Draws the walks of a few anchors and writes the model last, for it marks a finished run."""
    z, condition = _draw(generator, sample_seeds(options.seed, -1 - torch.arange(ANCHORS)), options.truncation)
    z = z.repeat_interleave(LENGTHS_SHOWN, dim=0)
    condition = None if condition is None else condition.repeat_interleave(LENGTHS_SHOWN)
    rows = []
    for column, name in enumerate(steering.edits):
        alphas = z.new_zeros(ANCHORS, LENGTHS_SHOWN, len(steering.edits))
        alphas[:, :, column] = LENGTHS[name](torch.linspace(0, 1 - 2**-24, LENGTHS_SHOWN))
        rows.append(generator(z + steering.displacement(z, alphas.flatten(0, 1)), condition))
    (out / "images").mkdir(exist_ok=True)
    save_image(torch.cat(rows).clamp(0, 1), out / "images" / "walks.png", nrow=LENGTHS_SHOWN, padding=1)
    latents.save(steering, out)
