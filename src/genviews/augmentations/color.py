"""What colours a view has: brightness, contrast, saturation, hue and grayscale, as one linear map or step by step."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

COLOR_DRAWS = 10
LUMA = (0.2989, 0.587, 0.114)
"""Red, green and blue in gray (ITU-R BT.601, to the digits torchvision uses)."""


@dataclass(frozen=True)
class Colors:
    """A change of colour an image.

    Attributes:
        factors: float32 (B, 4): brightness, contrast (of the distance to the image's mean gray), saturation (of the distance to
            the pixel's gray), all 1 for no change, and hue in turns round the colour circle, in [-0.5, 0.5].
        order: int64 (B, 4), a permutation of these four.
        grayscale: Whether the result is gray, bool (B,).
    """

    factors: Tensor
    order: Tensor
    grayscale: Tensor


def sample_colors(uniforms: Tensor, strength: tuple[float, float, float, float], probability: float, grayscale: float) -> Colors:
    """Draws what torchvision's RandomApply([ColorJitter(*strength)], probability) and RandomGrayscale(grayscale) draw.

    Args:
        uniforms: float32 (B, COLOR_DRAWS) in [0, 1).
        strength: Of brightness, contrast and saturation, whose factors lie in [max(0, 1 - s), 1 + s], and of hue, in [-s, s].
        probability: Of any jitter.
        grayscale: Probability of a gray result.
    """
    low = uniforms.new_tensor([*(max(0.0, 1 - s) for s in strength[:3]), -strength[3]])
    high = uniforms.new_tensor([*(1 + s for s in strength[:3]), strength[3]])
    neutral = uniforms.new_tensor([1.0, 1.0, 1.0, 0.0])
    factors = torch.where(uniforms[:, :1] < probability, low + (high - low) * uniforms[:, 1:5], neutral)
    return Colors(factors, uniforms[:, 5:9].argsort(1), uniforms[:, 9] < grayscale)


def recolor(images: Tensor, colors: Colors) -> Tensor:
    """All changes of colour as one linear map an image, and one clamp to [0, 1].

    Without a clamp after each, and with hue a turn of the colour cube about its gray diagonal, shifted along that to keep the
    luma (Haeberli 1993, "Matrix operations for image processing"), the changes commute, so that their order does not matter. With
    b, c and s the factors, h the turns, L x a pixel's gray and Q x its chroma x - L x turned by a quarter,

        y = b c (L x + s cos(2 pi h) (x - L x) + s sin(2 pi h) Q x) + b (1 - c) mean(L x).

    This is `recolor_exact` but for the clamps and for the hue, where that keeps a pixel's largest channel instead of its luma.

    Args:
        images: (B, 1 or 3, H, W); with one channel, saturation, hue and grayscale change nothing.
        colors: B changes.

    Returns:
        (B, C, H, W) in [0, 1].
    """
    channels = images.shape[1]
    basis = _BASIS[channels].to(images)
    brightness, contrast, saturation, hue = colors.factors.to(images.dtype).unbind(1)
    chroma, angle = torch.where(colors.grayscale, 0, saturation), 2 * math.pi * hue
    mixture = torch.stack([torch.ones_like(chroma), chroma * angle.cos(), chroma * angle.sin()], dim=1)
    matrices = ((brightness * contrast)[:, None] * mixture @ basis.flatten(1)).view(-1, channels, channels)
    offset = (brightness * (1 - contrast))[:, None] * images.mean((2, 3)) @ basis[0].T
    return torch.baddbmm(offset[:, :, None], matrices, images.flatten(2)).clamp_(0, 1).view_as(images)


def recolor_exact(images: Tensor, colors: Colors) -> Tensor:
    """The changes of colour as torchvision applies them: one by one in each image's order, hue in HSV, a clamp after each.

    Args:
        images: (B, 1 or 3, H, W); with one channel, saturation, hue and grayscale change nothing.
        colors: B changes.

    Returns:
        (B, C, H, W) in [0, 1].
    """
    changes = (_brighten, _contrast, _saturate, _turn)
    for step in colors.order.unbind(1):
        rows = [(step == number).nonzero()[:, 0] for number in range(4)]
        changed = [
            change(images[own], factor[own, None, None, None])
            for change, factor, own in zip(changes, colors.factors.unbind(1), rows, strict=True)
        ]
        images = torch.cat(changed)[torch.cat(rows).argsort()]
    return torch.where(colors.grayscale[:, None, None, None], _gray(images), images)


def _brighten(images: Tensor, factor: Tensor) -> Tensor:
    return (factor * images).clamp(0, 1)


def _contrast(images: Tensor, factor: Tensor) -> Tensor:
    return (factor * images + (1 - factor) * _gray(images).mean((1, 2, 3), keepdim=True)).clamp(0, 1)


def _saturate(images: Tensor, factor: Tensor) -> Tensor:
    return images if images.shape[1] == 1 else (factor * images + (1 - factor) * _gray(images)).clamp(0, 1)


def _turn(images: Tensor, turns: Tensor) -> Tensor:
    """Turns the hue of HSV, by way of the sextant of each pixel: value and chroma stay."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.split(1, dim=1)
    value = images.amax(1, keepdim=True)
    chroma = value - images.amin(1, keepdim=True)
    divisor = torch.where(chroma == 0, 1, chroma)
    sextant = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    distance = (sextant + 6 * turns + images.new_tensor([5, 3, 1])[:, None, None]) % 6
    return value - chroma * torch.minimum(distance, 4 - distance).clamp(0, 1)


def _gray(images: Tensor) -> Tensor:
    """The luma of colour images (B, 3, H, W) as (B, 1, H, W); gray ones as they are."""
    return images if images.shape[1] == 1 else torch.einsum("bchw,c->bhw", images, images.new_tensor(LUMA))[:, None]


def _basis() -> Tensor:
    """Keep a pixel's gray, keep its chroma, turn its chroma by a quarter: (3, 3, 3)."""
    luma = torch.tensor([LUMA]).expand(3, 3)
    chroma = torch.eye(3) - luma
    across = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    return torch.stack([luma, chroma, chroma @ across])


_BASIS = {1: torch.tensor([1.0, 0.0, 0.0])[:, None, None], 3: _basis()}
