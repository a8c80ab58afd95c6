"""An encoder for directions that came without one: it learns to tell how far along which of them an image was moved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Adam

from ..encoders import Encoder
from ..errors import require_positive
from ..generators.base import Generator
from ..latents import Directions
from ..views.sources import draw_conditions, render_pair
from .discovery_parts import draw_shifts, new_encoder
from .fit import Learner, Seeds, fit


@dataclass(frozen=True, kw_only=True)
class ShiftRegressionOptions:
    """How the encoder is trained; the defaults suit small images and a CPU.

    Attributes:
        backbone: Of `Encoder`.
        architecture: Further arguments of the encoder, such as `width`.
        shift: epsilon of the shifts, from U[-epsilon, epsilon].
        batch_size: Pairs of images a step.
        steps: Optimiser steps.
        lr: Of Adam.
    """

    backbone: str = "disco"
    architecture: Mapping[str, Any] = field(default_factory=dict)
    shift: float = 6.0
    batch_size: int = 64
    steps: int = 2000
    lr: float = 1e-4

    def __post_init__(self) -> None:
        require_positive(shift=self.shift, batch_size=self.batch_size, steps=self.steps, lr=self.lr)


class ShiftRegressionLearner(Learner):
    """min over E of  | E(G(z + s d_k)) - E(G(z)) - s e_k |^2:  the difference of two codes is the shift between their images.

    Args:
        generator: G, frozen, in the space of the directions; a conditional one draws its conditions uniformly.
        directions: K directions d_k, frozen.
        encoder: E, with K outputs.
        options: See `ShiftRegressionOptions`.
    """

    frozen_parts = ("generator", "directions")

    def __init__(self, generator: Generator, directions: Directions, encoder: Encoder, options: ShiftRegressionOptions):
        super().__init__()
        self.generator, self.directions, self.encoder, self.options = generator, directions, encoder, options

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        seeds, count = batch[1], self.directions.count
        with torch.no_grad():
            z, condition = self.generator.sample_latents(len(seeds), rng=seeds), draw_conditions(self.generator, seeds)
            index, shift = draw_shifts(seeds, count, self.options.shift)
            pair = render_pair(self.generator, z, z + self.directions(index, shift), condition)
        before, after = self.encoder(torch.cat(pair[:2])).float().chunk(2)
        loss = (after - before - F.one_hot(index, count) * shift[:, None]).square().sum(1).mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return Adam(self.encoder.parameters(), self.options.lr)


def regress_shifts(
    generator: Generator,
    directions: Directions,
    options: ShiftRegressionOptions,
    seed: int = 0,
    out: Path | None = None,
    resume: bool = False,
    **trainer: Any,
) -> Encoder:
    """Trains an encoder whose k-th code follows the k-th direction, from generated images.

    DisCo (Ren et al. 2022) compares with directions that were found without an encoder by training one on their shifts; that the
    codes' difference is what regresses them is our choice, for it asks nothing of the images before the shift and suits
    directions that bend.

    Args:
        generator: G.
        directions: Found in it, frozen.
        options: See `ShiftRegressionOptions`.
        seed: Of the encoder and every sample.
        out: Folder for checkpoints and `metrics.csv`; None keeps nothing.
        resume: Go on from the last checkpoint in `out`.
        **trainer: Further arguments of `fit`.

    Returns:
        The encoder, frozen, of as many codes as directions.

    Raises:
        OptionError: If an option is wrong.
    """
    generator = generator.in_space(directions.space)
    channels, *sides = generator.image_shape
    encoder = new_encoder(options.backbone, channels, max(sides), directions.count, options.architecture, seed)
    fit(
        ShiftRegressionLearner(generator, directions, encoder, options),
        Seeds(options.steps * options.batch_size),
        steps=options.steps,
        batch_size=options.batch_size,
        seed=seed,
        out=out,
        resume=resume,
        description="encoder",
        **trainer,
    )
    return encoder.eval().requires_grad_(False)
