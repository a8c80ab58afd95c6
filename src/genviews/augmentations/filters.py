"""What is done to a view's pixels last: blur and solarisation."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .geometry import separable

BLUR_DRAWS = 2


def sample_blurs(uniforms: Tensor, probability: float, sigma: tuple[float, float]) -> Tensor:
    """Standard deviations (B,) in pixels, uniform in the range `sigma`, or 0 for no blur, from (B, BLUR_DRAWS) in [0, 1)."""
    low, high = sigma
    return torch.where(uniforms[:, 0] < probability, low + (high - low) * uniforms[:, 1], 0)


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of each image with a kernel about a tenth of the side wide (SimCLR's), mirrored at the border.

    Args:
        images: (B, C, H, W).
        sigma: Standard deviations (B,) in pixels; 0 changes nothing.

    Returns:
        (B, C, H, W).
    """
    height, width = images.shape[2:]
    down, right = (max(1, side // 20) for side in (height, width))
    padded = F.pad(images, (right, right, down, down), mode="reflect")
    return separable(padded, _blurring(sigma, height, down), _blurring(sigma, width, right))


def solarise(images: Tensor, chosen: Tensor) -> Tensor:
    """Inverts the pixels from 0.5 on of the images chosen, bool (B,)."""
    return torch.where(chosen[:, None, None, None] & (images >= 0.5), 1 - images, images)


def _blurring(sigma: Tensor, size: int, radius: int) -> Tensor:
    """Matrices (B, size, size + 2 * radius) that blur a padded line with kernels of 2 * radius + 1 pixels."""
    pixels = torch.arange(size + 2 * radius, device=sigma.device)
    offsets = pixels - radius - pixels[:size, None]
    penalties = torch.where(offsets.abs() <= radius, offsets**2, torch.inf)
    return torch.softmax(-penalties / (2 * sigma.clamp(min=1e-3) ** 2)[:, None, None], dim=2)
