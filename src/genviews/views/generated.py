"""A generator's samples as a set of images."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..data.features import evaluating
from ..errors import NonFiniteError, OptionError
from ..generators.base import Generator
from ..randomness import sample_seeds
from .sources import draw_condition
from .store import quantise


@dataclass(frozen=True)
class GeneratedImages:
    """Samples of a generator, rendered when asked for: `images[indices (B,)] -> (uint8 images, int64 labels)`.

    Sample i is a function of (seed, i) alone, the anchor of pair i of a store rendered with this seed; clamped to [0, 1] and
    rounded to 8 bits, as files hold images. Rendering is in eval mode, so the generator may be in training.

    Args:
        generator: G; a conditional one draws its conditions, which are the labels, uniformly.
        count: How many samples.
        seed: Of the samples.
        condition: Of all samples; None for a draw each.
    """

    generator: Generator
    count: int
    seed: int = 0
    condition: int | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.condition is not None and not 0 <= self.condition < (self.generator.num_conditions or 0):
            raise OptionError(
                f"condition is {self.condition}; the generator has {self.generator.num_conditions or 'no'} conditions"
            )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.generator.image_shape

    @property
    def labels(self) -> Tensor:
        return self._labels(sample_seeds(self.seed, torch.arange(self.count)))

    def __len__(self) -> int:
        return self.count

    @torch.no_grad()
    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        seeds = sample_seeds(self.seed, indices)
        labels = self._labels(seeds)
        with evaluating(self.generator):
            z = self.generator.sample_latents(len(seeds), rng=seeds)
            condition = None if self.generator.num_conditions is None else labels.to(z.device)
            images = self.generator(z, condition)
        if not (finite := images.isfinite().flatten(1).all(1)).all():
            raise NonFiniteError(
                f"sample {int(indices[finite.int().argmin()])} has NaN or infinite pixels; look at the generator"
            )
        return quantise(images), labels

    def _labels(self, seeds: Tensor) -> Tensor:
        classes = self.generator.num_conditions
        if classes is None:
            return torch.full_like(seeds, -1)
        return draw_condition(seeds, classes) if self.condition is None else torch.full_like(seeds, self.condition)
