"""Edits of an image by given amounts, as GenRep (Jahanian et al. 2022) and "steerability" (Jahanian et al. 2020) use them."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import ShapeError

COLOURS = {1: ("brightness",), 3: ("red", "green", "blue")}
"""Channels of an image -> the edits that add to each."""

GEOMETRY = ("rotation_3d", "rotation_2d", "zoom", "shift_x", "shift_y")


def edits_of(channels: int) -> tuple[str, ...]:
    """The names of all edits of an image of 1 or 3 channels: its colours, then `GEOMETRY`.

    Raises:
        ShapeError: If it has another number.
    """
    if channels not in COLOURS:
        raise ShapeError(f"an image of {channels} channels has no edits; they are for grey (1) and RGB (3) images")
    return COLOURS[channels] + GEOMETRY


def edit(images: Tensor, alphas: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Edits each image by its own amounts: colour, then rotation in 3D, rotation in 2D, zoom, shift, looked up once, bilinearly.

    The amounts are GenRep's walk lengths, in these units:
        red, green, blue, brightness: added to the channel, 1 for half the range from black to white.
        rotation_3d: 60 degrees about the vertical axis, 1 bringing the left nearer, seen from a diagonal's length away.
        rotation_2d: 30 degrees, 1 turning counterclockwise.
        zoom: The logarithm of the side of what is shown, relative to the image: below 0 enlarges it, above 0 shrinks it.
        shift_x, shift_y: 100/256 of the side, to the right and down.

    Args:
        images: (B, C, H, W) with C 1 or 3.
        alphas: Edit -> its amounts (B,); an edit that is not given is not made.

    Returns:
        The edited images (B, C, H, W), and where their pixels come from inside the image: 1, else 0, (B, 1, H, W).

    Raises:
        ShapeError: If the images are neither grey nor RGB.
    """
    count, channels, height, width = images.shape
    nothing = images.new_zeros(count)
    amount = {name: alphas.get(name, nothing).to(images) for name in edits_of(channels)}
    offsets = torch.stack([amount[name] for name in COLOURS[channels]], dim=1) / 2
    half = images.new_tensor([width / 2, height / 2])
    x, y = (torch.arange(side, device=images.device) + 0.5 - side / 2 for side in (width, height))
    targets = torch.cartesian_prod(y, x).flip(1)
    with torch.autocast(images.device.type, enabled=False):  # half precision would be a pixel off
        sources = F.pad(targets, (0, 1), value=1) @ torch.linalg.inv(_homography(amount, width, height)).mT
    grid = (sources[..., :2] / sources[..., 2:] / half).view(count, height, width, 2)
    inside = (grid.abs() <= 1).all(3) & (sources[..., 2] > 0).view(count, height, width)
    moved = F.grid_sample(images + offsets[:, :, None, None], grid, padding_mode="border", align_corners=False)
    return moved, inside[:, None].to(images)


def _homography(amount: Mapping[str, Tensor], width: int, height: int) -> Tensor:
    """Where a point (x, y, 1), in pixels from the centre, goes: (B, 3, 3)."""
    zero, one = torch.zeros_like(amount["zoom"]), torch.ones_like(amount["zoom"])

    def matrix(*rows: list[Tensor]) -> Tensor:
        return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)

    tilt, turn = amount["rotation_3d"] * math.radians(60), amount["rotation_2d"] * math.radians(30)
    scale, distance = amount["zoom"].neg().exp(), math.hypot(width, height)
    aside = amount["rotation_3d"] * (-12 / 256 * width)  # GenRep recentres what perspective moves
    perspective = matrix([tilt.cos(), zero, aside], [zero, one, zero], [tilt.sin() / distance, zero, one])
    cos, sin = scale * turn.cos(), scale * turn.sin()
    right, down = amount["shift_x"] * (100 / 256 * width), amount["shift_y"] * (100 / 256 * height)
    return matrix([cos, sin, right], [-sin, cos, down], [zero, zero, one]) @ perspective
