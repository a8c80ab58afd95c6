"""Images of every combination of some factors."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..errors import DataError
from ..randomness import Rng, as_seeds, uniform

Read = Callable[[Tensor], Tensor]
"""Indices int64 (B,) -> images uint8 (B, C, H, W)."""

CHUNK = 128
"""Images that are read at once; it bounds the memory that rendering takes."""


def unravel(indices: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """Where along each side of a grid its elements `indices` (n,) are; `torch.unravel_index` would import sympy, for seconds."""
    return [indices // stride % size for stride, size in zip(_strides(sizes), sizes, strict=True)]


def _strides(sizes: Sequence[int]) -> list[int]:
    return [math.prod(sizes[side + 1 :]) for side in range(len(sizes))]


@dataclass(frozen=True)
class FactorDataset:
    """A full grid of factors, one image each, in row-major order: the last factor varies fastest.

    It is a set of images without labels, too: `data[indices (B,)] -> (uint8 (B, C, H, W), -1 (B,))`.

    Args:
        factor_names: Of the F factors.
        factor_sizes: How many values each has.
        image_shape: (C, H, W).
        read: Renders or reads some of the images.
    """

    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]
    image_shape: tuple[int, int, int]
    read: Read

    @property
    def labels(self) -> Tensor:
        return torch.full((len(self),), -1)

    @property
    def class_names(self) -> tuple[str, ...]:
        return ()

    def __len__(self) -> int:
        return math.prod(self.factor_sizes)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        images = torch.cat([self.read(chunk) for chunk in self._existing(indices).split(CHUNK)])
        return images.contiguous(), torch.full((len(indices),), -1)

    def _existing(self, indices: Tensor) -> Tensor:
        outside = indices[(indices < 0) | (indices >= len(self))]
        if len(outside):
            raise DataError(f"there is no image {int(outside[0])}; indices must be 0 to {len(self) - 1}")
        return indices

    def index(self, factors: Tensor) -> Tensor:
        """The indices int64 (n,) of the images with the factors int64 (n, F).

        Raises:
            DataError: If there are other than F factors, or one has no such value.
        """
        sizes = torch.tensor(self.factor_sizes)
        if factors.ndim != 2 or factors.shape[1] != len(sizes) or factors.is_floating_point():
            raise DataError(f"factors are {factors.dtype} {tuple(factors.shape)}; they must be int64 (n, {len(sizes)})")
        outside = ((factors < 0) | (factors >= sizes)).nonzero()
        if len(outside):
            row, column = outside[0].tolist()
            name, size = self.factor_names[column], self.factor_sizes[column]
            raise DataError(f"factors[{row}] has {name} {int(factors[row, column])}; it must be 0 to {size - 1}")
        return (factors * torch.tensor(_strides(self.factor_sizes))).sum(1)

    def factors(self, indices: Tensor) -> Tensor:
        """The factors int64 (n, F) of the images `indices` (n,).

        Raises:
            DataError: If there is no such image.
        """
        return torch.stack(unravel(self._existing(indices), self.factor_sizes), 1)

    def images(self, factors: Tensor) -> Tensor:
        """The images uint8 (n, C, H, W) with the factors int64 (n, F); raises as `index` does."""
        return self[self.index(factors)][0]

    def sample(self, n: int, rng: Rng = None) -> tuple[Tensor, Tensor]:
        """Draws each factor uniformly: factors int64 (n, F) and their images uint8 (n, C, H, W)."""
        drawn = uniform(as_seeds(rng, n, "cpu"), len(self.factor_sizes)).double()
        factors = (drawn * torch.tensor(self.factor_sizes)).long()
        return factors, self.images(factors)

    def resized(self, size: int) -> "FactorDataset":
        """The same set at size x size pixels (antialiased bilinear), each image resized when asked for."""
        if self.image_shape[1:] == (size, size):
            return self
        return replace(self, image_shape=(self.image_shape[0], size, size), read=partial(_read_resized, self.read, size))


def _read_resized(read: Read, size: int, indices: Tensor) -> Tensor:
    return interpolate(read(indices), (size, size), mode="bilinear", antialias=True)
