"""Where pairs of views come from. Each source has a host side, `source[indices]`, that loader workers run, and a device side,
`source(*fetched) -> Pair`, that the training step runs."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..data import Images
from ..generators.base import Generator
from ..latents.transforms import LatentTransform
from ..randomness import derive, pick, sample_seeds, uniform


class Pair(NamedTuple):
    """Two views of each of B samples.

    Attributes:
        first: float32 (B, C, H, W), nominally in [0, 1].
        second: The positives, row by row.
        labels: int64 (B,): the class (-1 for none) or the condition of a generated pair; None if there is neither.
        generated: float32 (B, M, C, H, W), M further views of each sample, learned in a generator; None if there are none.
    """

    first: Tensor
    second: Tensor
    labels: Tensor | None = None
    generated: Tensor | None = None


class Views(nn.Module):
    """Pairs of images (B, C, H, W) in [0, 1] before T_x, addressed by index."""

    image_shape: tuple[int, int, int]

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        """What the host fetches for the pairs `indices` (B,)."""
        raise NotImplementedError

    def forward(self, *fetched: Tensor, seeds: Tensor | None = None, encoder: nn.Module | None = None) -> Pair:
        """What the device makes of it.

        Args:
            *fetched: By the host.
            seeds: Of the B samples of this step, int64 (B,), for sources that draw views anew at each step.
            encoder: f as it is at this step, images -> representations, for sources whose views depend on it.
        """
        raise NotImplementedError


class RealViews(Views):
    """Both views are the real image; T_x alone makes them differ."""

    conditions: int | Tensor | None = None

    def __init__(self, images: Images):
        super().__init__()
        self.images, self.image_shape = images, images.image_shape

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        return self.images[indices]

    def forward(self, *fetched: Tensor, seeds: Tensor | None = None, encoder: nn.Module | None = None) -> Pair:
        images = fetched[0].float() / 255
        return Pair(images, images, fetched[1])


def latent_pairs(
    generator: Generator, transform: LatentTransform, seeds: Tensor, truncation: float | None = None
) -> tuple[Tensor, Tensor]:
    """(z, z') of the samples `seeds` (B,): z from the prior, z' = T_z(z); float32 (B, D) each."""
    z = generator.sample_latents(len(seeds), truncation=truncation, rng=seeds)
    return z, transform(z, rng=derive(seeds.to(z.device), 1))


def draw_condition(seeds: Tensor, num_conditions: int, conditions: Sequence[int] | None = None) -> Tensor:
    """A condition int64 (B,) for each of the seeds (B,), uniform over `conditions`, or over all `num_conditions` if None."""
    count = num_conditions if conditions is None else len(conditions)
    drawn = pick(derive(seeds, 2), count)
    return drawn if conditions is None else torch.tensor(conditions, device=seeds.device)[drawn]


def draw_conditions(generator: Generator, seeds: Tensor, paired: bool = False) -> Tensor | None:
    """Conditions of a generator for the seeds (B,), int64 (B,); None for an unconditional one.

    Args:
        generator: Whose conditions.
        seeds: int64 (B,).
        paired: Half as many distinct conditions as samples, each of two neighbours in the batch (and more where there are too few
            conditions), for losses with labels; otherwise each sample draws its own uniformly.
    """
    if generator.num_conditions is None:
        return None
    if not paired:
        return draw_condition(seeds, generator.num_conditions)
    order = uniform(derive(seeds[:1], 2), generator.num_conditions)[0].argsort()
    return order[torch.arange(len(seeds), device=seeds.device) // 2 % len(order)]


def render_pair(generator: Generator, z: Tensor, moved: Tensor, condition: Tensor | None) -> Pair:
    """G(z) and G(z') of latents (B, D) under the conditions (B,), in one generator call."""
    first, second = generator(torch.cat([z, moved]), None if condition is None else condition.repeat(2)).chunk(2)
    return Pair(first, second, condition)


class GeneratedViews(Views):
    """Pairs rendered in the training step: G(z) and G(T_z(z)), in one generator call.

    Args:
        generator: G, frozen; a conditional one draws its conditions uniformly.
        transform: T_z.
        count: How many distinct pairs there are; pair i is the same as pair i of a store rendered with this seed.
        seed: Of the pairs.
        truncation: psi of `Generator.sample_latents`.
        anew: Move the same z by another draw of T_z at each step.
    """

    def __init__(
        self,
        generator: Generator,
        transform: LatentTransform,
        count: int,
        seed: int = 0,
        truncation: float | None = None,
        anew: bool = False,
    ):
        super().__init__()
        self.generator, self.transform = generator, transform
        self.count, self.seed, self.truncation, self.anew = count, seed, truncation, anew
        self.image_shape = generator.image_shape

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        return (indices,)

    @torch.no_grad()
    def forward(self, *fetched: Tensor, seeds: Tensor | None = None, encoder: nn.Module | None = None) -> Pair:
        own = sample_seeds(self.seed, fetched[0])
        z, moved = latent_pairs(self.generator, self.transform, own, self.truncation)
        if self.anew and seeds is not None:
            moved = self.transform(z, rng=derive(seeds, 3))
        return render_pair(self.generator, z, moved, draw_conditions(self.generator, own))
