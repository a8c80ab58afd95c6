"""Where pairs of views come from. Each source has a host side, `source[indices]`, that loader workers run, and a device side,
`source(*fetched) -> (first, second)`, that the training step runs."""

import torch
from torch import Tensor, nn

from ..data import Images
from ..generators.base import Generator
from ..latents.transforms import LatentTransform
from ..randomness import derive, sample_seeds


class Views(nn.Module):
    """Pairs of images (B, C, H, W) in [0, 1] before T_x, addressed by index."""

    image_shape: tuple[int, int, int]

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        """What the host fetches for the pairs `indices` (B,)."""
        raise NotImplementedError

    def forward(self, *fetched: Tensor) -> tuple[Tensor, Tensor]:
        """What the device makes of it."""
        raise NotImplementedError


class RealViews(Views):
    """Both views are the real image; T_x alone makes them differ."""

    def __init__(self, images: Images):
        super().__init__()
        self.images, self.image_shape = images, images.image_shape

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        return (self.images[indices][0],)

    def forward(self, *fetched: Tensor) -> tuple[Tensor, Tensor]:
        images = fetched[0].float() / 255
        return images, images


def latent_pairs(
    generator: Generator, transform: LatentTransform, seeds: Tensor, truncation: float | None = None
) -> tuple[Tensor, Tensor]:
    """(z, z') of the samples `seeds` (B,): z from the prior, z' = T_z(z); float32 (B, D) each."""
    z = generator.sample_latents(len(seeds), truncation=truncation, rng=seeds)
    return z, transform(z, rng=derive(seeds.to(z.device), 1))


class GeneratedViews(Views):
    """Pairs rendered in the training step: G(z) and G(T_z(z)), in one generator call.

    Args:
        generator: G, frozen.
        transform: T_z.
        count: How many distinct pairs there are; pair i is the same as pair i of a store rendered with this seed.
        seed: Of the pairs.
        truncation: psi of `Generator.sample_latents`.
    """

    def __init__(
        self, generator: Generator, transform: LatentTransform, count: int, seed: int = 0, truncation: float | None = None
    ):
        super().__init__()
        self.generator, self.transform = generator, transform
        self.count, self.seed, self.truncation = count, seed, truncation
        self.image_shape = generator.image_shape

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        return (indices,)

    @torch.no_grad()
    def forward(self, *fetched: Tensor) -> tuple[Tensor, Tensor]:
        z, moved = latent_pairs(self.generator, self.transform, sample_seeds(self.seed, fetched[0]), self.truncation)
        first, second = self.generator(torch.cat([z, moved])).chunk(2)
        return first, second
