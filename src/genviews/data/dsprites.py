"""dSprites (Matthey et al., 2017) and Noisy-dSprites (Locatello et al., 2019), rendered."""

import math
from functools import cache

import torch
from torch import Tensor

from ..randomness import sample_seeds
from .factor_dataset import FactorDataset, Read, unravel

FACTORS = {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32}
SIZE = 64
_CANVAS = SIZE + FACTORS["x"] - 1


@cache
def _sprites() -> Tensor:
    """Squares, ellipses and hearts of each scale and orientation, uint8 (720, 95, 95), in the middle of a canvas.

    Scales are 6 values in [0.5, 1] and orientations 40 in [0, 2 pi], both ends included. A pixel is of a sprite if its centre is.
    """
    scale = torch.linspace(0.5, 1, FACTORS["scale"])[:, None, None, None]
    angle = torch.linspace(0, 2 * math.pi, FACTORS["orientation"])[:, None, None]
    x = torch.arange(_CANVAS) - (_CANVAS - 1) / 2
    y = x[:, None]
    u = (angle.cos() * x + angle.sin() * y) / scale
    v = (angle.cos() * y - angle.sin() * x) / scale
    square = torch.maximum(u.abs(), v.abs()) < 11.1
    ellipse = (u / 15.1) ** 2 + (v / 8.1) ** 2 < 1
    p, q = u / 12, 0.1 - v / 12
    heart = (p**2 + q**2 - 1) ** 3 < p**2 * q**3
    return 255 * torch.stack([square, ellipse, heart]).flatten(0, 2).to(torch.uint8)


def _render(indices: Tensor) -> Tensor:
    """Cuts the 64 x 64 pixels out of the canvas that put the sprite at its place."""
    sprite, x, y = unravel(indices, (len(_sprites()), FACTORS["x"], FACTORS["y"]))
    windows = _sprites().unfold(1, SIZE, 1).unfold(2, SIZE, 1)
    return windows[sprite, FACTORS["y"] - 1 - y, FACTORS["x"] - 1 - x][:, None]


def _render_noisy(indices: Tensor) -> Tensor:
    """The same on noise: eight values a hash of the index and their place."""
    words = 3 * SIZE * SIZE // 8
    noise = sample_seeds(0, indices[:, None] * words + torch.arange(words)).view(torch.uint8)
    return torch.maximum(noise.unflatten(1, (3, SIZE, SIZE)), _render(indices))


def _dataset(channels: int, read: Read, image_size: int) -> FactorDataset:
    return FactorDataset(tuple(FACTORS), tuple(FACTORS.values()), (channels, SIZE, SIZE), read).resized(image_size)


def dsprites(image_size: int = SIZE) -> FactorDataset:
    """Squares, ellipses and hearts, white on black: uint8 (1, 64, 64) of 0 and 255, 737,280 of them.

    The sprite's centre moves by a pixel a step, from (16.5, 16.5) to (47.5, 47.5) pixels from the upper left corner. The first
    orientation and the last are the same, as in the original.

    Args:
        image_size: Resizes them (antialiased bilinear).
    """
    return _dataset(1, _render, image_size)


def noisy_dsprites(image_size: int = SIZE) -> FactorDataset:
    """dSprites on uniform RGB noise: uint8 (3, 64, 64). Unlike the original's, an image's noise is always the same.

    Args:
        image_size: Resizes them (antialiased bilinear), noise and all.
    """
    return _dataset(3, _render_noisy, image_size)
