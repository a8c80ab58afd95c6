"""Where a view's pixels come from: random resized crops with mirror images, and random affine maps."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

ATTEMPTS = 10
CROP_DRAWS = 2 * ATTEMPTS + 3
AFFINE_DRAWS = 5


@dataclass(frozen=True)
class Crops:
    """A box an image and whether its content is mirrored.

    Attributes:
        corners: (top, left) in whole pixels, float32 (B, 2).
        sides: (height, width) in whole pixels, float32 (B, 2).
        flip: Left to right, bool (B,).
    """

    corners: Tensor
    sides: Tensor
    flip: Tensor


@dataclass(frozen=True)
class AffineRanges:
    """The ranges affine maps are drawn from, uniformly; the defaults suit digits.

    Attributes:
        degrees: Rotation in [-degrees, degrees].
        translate: Shift in [-translate, translate] of the image's side, rounded to whole pixels.
        scale: Range of the enlargement.
        shear: Horizontal shear in [-shear, shear] degrees.
    """

    degrees: float = 15.0
    translate: float = 0.1
    scale: tuple[float, float] = (0.8, 1.2)
    shear: float = 10.0


@dataclass(frozen=True)
class Affines:
    """A map an image, each float32 (B,): degrees clockwise, pixels, pixels, a factor, degrees."""

    angle: Tensor
    right: Tensor
    down: Tensor
    scale: Tensor
    shear: Tensor


def sample_crops(
    uniforms: Tensor, shape: tuple[int, int], area: tuple[float, float] | None, ratio: tuple[float, float], flip: float
) -> Crops:
    """Draws boxes as torchvision's RandomResizedCrop does: the first of ten that fits, else the largest central one.

    Args:
        uniforms: float32 (B, CROP_DRAWS) in [0, 1).
        shape: (H, W) of the images.
        area: Range of a box's share of the image, uniform; None for the whole image.
        ratio: Range of a box's width / height, log-uniform.
        flip: Probability of a mirror image.
    """
    height, width = shape
    share, aspect, corner, coin = uniforms.split([ATTEMPTS, ATTEMPTS, 2, 1], dim=1)
    limit = uniforms.new_tensor(shape)
    if area is None:
        corners, sides = torch.zeros_like(corner), limit.expand_as(corner)
    else:
        low, high = math.log(ratio[0]), math.log(ratio[1])
        areas = height * width * (area[0] + (area[1] - area[0]) * share)
        ratios = torch.exp(low + (high - low) * aspect)
        candidates = torch.stack([areas / ratios, areas * ratios], dim=2).sqrt().round()
        fits = ((candidates > 0) & (candidates <= limit)).all(2)
        first = fits.byte().argmax(1)[:, None, None]
        none_fits = ~fits.any(1, keepdim=True)
        largest = limit.new_tensor([min(height, round(width / ratio[0])), min(width, round(height * ratio[1]))])
        sides = torch.where(none_fits, largest, candidates.take_along_dim(first, dim=1)[:, 0])
        room = limit - sides
        corners = torch.where(none_fits, room / 2, corner * (room + 1)).floor()
    return Crops(corners, sides, coin[:, 0] < flip)


def resized_crop(images: Tensor, crops: Crops, size: tuple[int, int]) -> Tensor:
    """Cuts each image's box, resizes it with antialiasing and mirrors it, as two matrix products: rows @ image @ columns^T.

    Equal to torchvision's `resized_crop(..., antialias=True)` and `horizontal_flip` on each image.

    Args:
        images: (B, C, H, W).
        crops: B boxes.
        size: (h, w) of the result.

    Returns:
        (B, C, h, w).
    """
    rows = _resampling(crops.corners[:, 0], crops.sides[:, 0], images.shape[2], size[0])
    columns = _resampling(crops.corners[:, 1], crops.sides[:, 1], images.shape[3], size[1], crops.flip)
    return separable(images, rows, columns)


def separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """rows @ image @ columns^T for each image: (B, C, H, W), (B, h, H), (B, w, W) -> (B, C, h, w)."""
    rows, columns = rows.to(images.dtype), columns.to(images.dtype)
    return (rows[:, None] @ images).flatten(1, 2).bmm(columns.mT).unflatten(1, (images.shape[1], -1))


def _resampling(start: Tensor, length: Tensor, size: int, out: int, flip: Tensor | None = None) -> Tensor:
    """Matrices (B, out, size) that resample [start, start + length) of a line of pixels to `out` pixels, backwards where `flip`.

    Triangle filter, as wide as a source or a target pixel, whichever is larger, and cut at the ends of the interval.
    """
    start, scale = start[:, None], length[:, None] / out
    pixels = torch.arange(size, device=start.device) + 0.5
    inside = (pixels > start) & (pixels < start + length[:, None])
    targets = (torch.arange(out, device=start.device) + 0.5).expand(len(start), out)
    if flip is not None:
        targets = torch.where(flip[:, None], out - targets, targets)
    centres = start + scale * targets
    reach = scale.clamp(min=1)
    distances = ((pixels / reach).where(inside, torch.inf)[:, None] - (centres / reach)[:, :, None]).abs_()
    weights = distances.sub_(1).clamp_(max=0)  # minus the triangle; the sign goes with the division
    return weights.div_(weights.sum(2, keepdim=True))


def sample_affines(uniforms: Tensor, shape: tuple[int, int], ranges: AffineRanges) -> Affines:
    """Draws affine maps as torchvision's RandomAffine does: float32 (B, AFFINE_DRAWS) in [0, 1) -> B maps for (H, W) images."""
    angle, right, down, scale, shear = uniforms.unbind(1)
    height, width = shape
    return Affines(
        angle=ranges.degrees * (2 * angle - 1),
        right=(ranges.translate * width * (2 * right - 1)).round(),
        down=(ranges.translate * height * (2 * down - 1)).round(),
        scale=ranges.scale[0] + (ranges.scale[1] - ranges.scale[0]) * scale,
        shear=ranges.shear * (2 * shear - 1),
    )


def affine(images: Tensor, affines: Affines) -> Tensor:
    """Moves each image by its map, bilinearly, with black outside, as torchvision's `affine` does.

    A point x, measured from the image's centre, goes to scale * Rotation(angle) Shear(shear) x + (right, down).

    Args:
        images: (B, C, H, W).
        affines: B maps.

    Returns:
        (B, C, H, W).
    """
    height, width = images.shape[2:]
    cos, sin = affines.angle.deg2rad().cos(), affines.angle.deg2rad().sin()
    tan = affines.shear.deg2rad().tan()
    inverse = torch.stack([cos - sin * tan, sin + cos * tan, -sin, cos], dim=1).view(-1, 2, 2) / affines.scale[:, None, None]
    half = inverse.new_tensor([width / 2, height / 2])
    shift = torch.stack([affines.right, affines.down], dim=1)[:, :, None]
    theta = torch.cat([inverse * half, -inverse @ shift], dim=2) / half[:, None]
    grid = F.affine_grid(theta.to(images.dtype), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
