"""LatentDiscovery (Voynov and Babenko 2020): directions whose shifts a second network can tell from the images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torch.optim import Adam

from .. import latents
from ..encoders import Encoder
from ..errors import OptionError, require_positive
from ..generators.base import Generator
from ..latents import Directions
from ..latents.directions import DirectionKind
from ..views.sources import draw_conditions
from .discovery_parts import draw_shifts, in_space, new_encoder
from .fit import Learner, Seeds, fit
from .shift_regression import ShiftRegressionOptions, regress_shifts


@dataclass(frozen=True, kw_only=True)
class LatentDiscoveryOptions:
    """How directions are learned; the defaults are the authors' but for the steps, 100,000, and a network that suits a CPU.

    Attributes:
        count: K directions.
        kind: Of the directions, of `Directions`.
        space: The latent space they are of; "w" if the generator has it, else "z", if None.
        backbone: Of the reconstructor, of `Encoder`; the authors' are a LeNet or "resnet18".
        architecture: Further arguments of the reconstructor, such as `width`.
        shift: epsilon of the shifts, from U[-epsilon, epsilon].
        least_shift: Smaller ones, of either sign, are made this.
        regression: lambda, the weight of the shift's error.
        batch_size: Pairs of images a step.
        steps: Optimiser steps.
        lr: Of Adam, for both.
        encoder: How the encoder is trained once the directions are found.
        seed: Of everything.
    """

    count: int = 64
    kind: DirectionKind = "unit"
    space: str | None = None
    backbone: str = "conv-small"
    architecture: Mapping[str, Any] = field(default_factory=dict)
    shift: float = 6.0
    least_shift: float = 0.5
    regression: float = 0.25
    batch_size: int = 32
    steps: int = 2000
    lr: float = 1e-4
    encoder: ShiftRegressionOptions = field(default_factory=ShiftRegressionOptions)
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(shift=self.shift, batch_size=self.batch_size, steps=self.steps, lr=self.lr)
        if self.count < 2:
            raise OptionError(f"count is {self.count}; to tell directions apart takes at least 2")
        if not 0 <= self.least_shift <= self.shift:
            raise OptionError(f"least_shift is {self.least_shift}; it is from 0 to the largest, {self.shift}")
        if self.regression < 0:
            raise OptionError(f"regression is {self.regression}; it is a weight, at least 0")


class LatentDiscoveryLearner(Learner):
    """min over A and R of  E[CE(k, k^) + lambda |s - s^|],  (k^, s^) = R(G(z), G(z + A(s e_k)))  (eq. 1).

    Args:
        generator: G, frozen, in the space of the directions; a conditional one draws its conditions uniformly.
        directions: A.
        reconstructor: R, of both images' channels: K logits and the shift.
        options: See `LatentDiscoveryOptions`.
    """

    frozen_parts = ("generator",)

    def __init__(self, generator: Generator, directions: Directions, reconstructor: Encoder, options: LatentDiscoveryOptions):
        super().__init__()
        self.generator, self.directions, self.reconstructor, self.options = generator, directions, reconstructor, options

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        o, seeds, count = self.options, batch[1], self.directions.count
        z, condition = self.generator.sample_latents(len(seeds), rng=seeds), draw_conditions(self.generator, seeds)
        index, shift = draw_shifts(seeds, count, o.shift)
        shift = shift.abs().clamp(min=o.least_shift).copysign(shift)
        with torch.no_grad():
            base = self.generator(z, condition)
        moved = self.generator(z + self.directions(index, shift), condition)
        logits, guess = self.reconstructor(torch.cat([base, moved], dim=1)).split([count, 1], dim=1)
        classification, error = F.cross_entropy(logits, index), (guess[:, 0] - shift).abs().mean()
        loss = classification + o.regression * error
        accuracy = (logits.argmax(1) == index).float().mean()
        self.log_dict({"loss": loss, "classification": classification, "shift_error": error, "accuracy": accuracy})
        return loss

    def configure_optimizers(self) -> Any:
        return Adam(chain(self.directions.parameters(), self.reconstructor.parameters()), self.options.lr)


def learn_directions(
    generator: Generator, options: LatentDiscoveryOptions, out: Path | None = None, resume: bool = False, **trainer: Any
) -> Directions:
    """Learns directions by LatentDiscovery; arguments as `latent_discovery`'s, but `out` is for the directions.

    Returns:
        The directions, frozen; those that a finished run left in `out`, to resume.
    """
    if resume and out and (out / "model.json").exists():
        return latents.load(out, Directions)
    generator, space = in_space(generator, options.space)
    directions = Directions(generator.latent_dim, options.count, options.kind, space=space, seed=options.seed)
    channels, *sides = generator.image_shape
    reconstructor = new_encoder(options.backbone, 2 * channels, max(sides), options.count + 1, options.architecture, options.seed)
    fit(
        LatentDiscoveryLearner(generator, directions, reconstructor, options),
        Seeds(options.steps * options.batch_size),
        steps=options.steps,
        batch_size=options.batch_size,
        seed=options.seed,
        out=out,
        resume=resume,
        description="directions",
        **trainer,
    )
    directions.eval().requires_grad_(False)
    if out:
        rank_zero_only(latents.save)(directions, out)
    return directions


def latent_discovery(
    generator: Generator, options: LatentDiscoveryOptions, out: Path | None = None, resume: bool = False, **trainer: Any
) -> tuple[Directions, Encoder]:
    """Learns directions from the generator alone, then their encoder; no image and no label enters.

    Args:
        generator: G, in any of its latent spaces.
        options: See `LatentDiscoveryOptions`.
        out: Run folder; checkpoints and `metrics.csv` of either training are in its `directions/` and `encoder/`. None keeps
            nothing.
        resume: Go on from the last checkpoint of whichever training it was.
        **trainer: Further arguments of `fit`.

    Returns:
        Both frozen.

    Raises:
        OptionError: If the generator has no such space, or an option is wrong.
    """
    directions = learn_directions(generator, options, out / "directions" if out else None, resume, **trainer)
    folder = out / "encoder" if out else None
    return directions, regress_shifts(generator, directions, options.encoder, options.seed, folder, resume, **trainer)
