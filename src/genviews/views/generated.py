"""A generator's samples, and what it makes of images, as sets of images."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..data import Images
from ..data.features import evaluating
from ..errors import NonFiniteError, OptionError
from ..generators.base import VAE, Generator
from ..randomness import normal, sample_seeds
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
        return quantise(images).cpu(), labels

    def _labels(self, seeds: Tensor) -> Tensor:
        classes = self.generator.num_conditions
        if classes is None:
            return torch.full_like(seeds, -1)
        return draw_condition(seeds, classes) if self.condition is None else torch.full_like(seeds, self.condition)


@dataclass(frozen=True)
class DecodedImages:
    """G(z) of latents of images, made when asked for, as `GeneratedImages` are.

    Args:
        generator: G, which encodes.
        images: x; of G's shape.
        seed: Of z ~ q(z | x), so that training images give samples of the aggregate posterior; None for `generator.encode(x)`,
            reconstructions. Where the encoder is no VAE's both are the same.
    """

    generator: Generator
    images: Images
    seed: int | None = None
    class_names: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.generator.image_shape

    @property
    def labels(self) -> Tensor:
        return self.images.labels

    def __len__(self) -> int:
        return len(self.images)

    @torch.no_grad()
    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        images, labels = self.images[indices]
        with evaluating(self.generator):
            z = self._latents(images.to(self.generator.device).float() / 255, indices)
            return quantise(self.generator(z)).cpu(), labels

    def _latents(self, images: Tensor, indices: Tensor) -> Tensor:
        if self.seed is None or not isinstance(self.generator, VAE):
            return self.generator.encode(images)
        mean, log_variance = self.generator.posterior(images)
        noise = normal(sample_seeds(self.seed, indices).to(mean.device), self.generator.latent_dim)
        return mean + (log_variance / 2).exp() * noise
