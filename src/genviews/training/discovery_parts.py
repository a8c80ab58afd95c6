"""What ways to discover directions have in common: the space, the shifts, the encoder."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..encoders import Encoder
from ..errors import OptionError
from ..generators.base import Generator
from ..randomness import derive, pick, uniform


def in_space(generator: Generator, space: str | None) -> tuple[Generator, str]:
    """The generator seen from a latent space, and the space: "w" if it has it, else "z", if None.

    Raises:
        OptionError: If it has no such space.
    """
    space = space or ("w" if "w" in generator.spaces else "z")
    return generator.in_space(space), space


def draw_shifts(seeds: Tensor, count: int, epsilon: float) -> tuple[Tensor, Tensor]:
    """For each of the seeds (B,) one of the directions, int64 (B,), and a shift of U[-epsilon, epsilon], (B,)."""
    return pick(derive(seeds, 3), count), epsilon * (2 * uniform(derive(seeds, 4), 1)[:, 0] - 1)


def new_encoder(backbone: str, channels: int, side: int, outputs: int, architecture: Mapping[str, Any], seed: int) -> Encoder:
    """An untrained encoder to (B, outputs) of images (B, channels, side, side), resized to the next power of two if it is none.

    `architecture` may give another image_size.

    Raises:
        OptionError: If there is no such backbone, or it cannot be built with the architecture.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Encoder(backbone, channels, outputs=outputs, **{"image_size": 1 << (side - 1).bit_length(), **architecture})
    except (TypeError, RuntimeError) as error:  # of an argument that is unknown, given here already, or impossible
        raise OptionError(f"architecture is {dict(architecture)}; {backbone} cannot be built so: {error}") from None
