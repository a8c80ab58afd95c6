"""Sizes of convolutional networks: those of their images, and those that the names in a state dict tell."""

import re
from collections.abc import Iterable, Sequence

from ..errors import OptionError


def doublings(image_shape: Sequence[int]) -> int:
    """How often 4 x 4 doubles to the size of images (C, H, W).

    Raises:
        OptionError: If never, or if they are not square.
    """
    _, height, width = image_shape
    count = (height // 4).bit_length() - 1
    if height != width or count < 1 or height != 4 << count:
        raise OptionError(f"image_shape is {tuple(image_shape)}; this network's images are square, of 8, 16, 32, 64, ... pixels")
    return count


def widths(image_shape: Sequence[int], last: int, most: int = 128) -> list[int]:
    """Channels at 4 x 4 and after each doubling to the size of images (C, H, W): `last` in the end, twice that before, to `most`.

    Raises:
        OptionError: As `doublings`.
    """
    return [min(most, last << i) for i in reversed(range(doublings(image_shape) + 1))]


def grey_levels(bits: int) -> int:
    """The grey values of images of so many bits a channel.

    Raises:
        OptionError: If no image has so many.
    """
    if bits not in range(1, 17):
        raise OptionError(f"bits a channel are {bits!r:.40}; images have 1 to 16")
    return 2**bits


def last_index(pattern: str, names: Iterable[str]) -> int:
    """The largest number in the names that begin as the regular expression says, whose first group it is; -1 if none does."""
    matches = (re.match(pattern, name) for name in names)
    return max((int(match[1]) for match in matches if match), default=-1)
