"""Augmentation of what a discriminator sees, which keeps it from learning a small data set by heart."""

import torch
from torch import Tensor, nn

from ..randomness import Rng, as_seeds, uniform
from .geometry import separable


class DiffAugment(nn.Module):
    """Colour, translation and cutout (DiffAugment, Zhao et al. 2020): linear in the pixels and without a clamp, so that gradients
    reach the generator everywhere. What leaves the image, or is cut out of it, is mid-grey.

    Args:
        translate: Largest shift, as a share of the image's side.
        cutout: Side of the square that is cut out, as a share of the image's.
    """

    def __init__(self, translate: float = 0.125, cutout: float = 0.5):
        super().__init__()
        self.translate, self.cutout = translate, cutout

    def forward(self, images: Tensor, rng: Rng = None) -> Tensor:
        """Augments each image by itself.

        Args:
            images: float (B, C, H, W), nominally in [0, 1].
            rng: A torch.Generator, or int64 seeds (B,), one a sample.

        Returns:
            (B, C, H, W), not within [0, 1].
        """
        draws = uniform(as_seeds(rng, len(images), images.device), 7).to(images.dtype)
        colors, (down, right), (top, left) = draws[:, :3], draws[:, 3:5].unbind(1), draws[:, 5:].unbind(1)
        height, width = images.shape[2:]
        images = self.recolor(images - 0.5, colors)
        with torch.autocast(images.device.type, enabled=False):
            images = separable(images, self.shift(down, height), self.shift(right, width))
        kept = 1 - self.hole(top, height)[:, None, :, None] * self.hole(left, width)[:, None, None, :]
        return images * kept + 0.5

    @staticmethod
    def recolor(images: Tensor, draws: Tensor) -> Tensor:
        """Adds up to a quarter of the range to the brightness, scales saturation by 0 to 2 and contrast by 0.5 to 1.5.

        Args:
            images: (B, C, H, W), of mean 0.
            draws: (B, 3) in [0, 1).
        """
        brightness, saturation, contrast = draws[..., None, None, None].unbind(1)
        images = images + (brightness - 0.5) / 2
        gray = images.mean(1, keepdim=True)
        images = gray + 2 * saturation * (images - gray)
        mean = images.mean((1, 2, 3), keepdim=True)
        return mean + (0.5 + contrast) * (images - mean)

    def shift(self, draws: Tensor, size: int) -> Tensor:
        """Matrices (B, size, size) that move a line by whole pixels, up to `translate`, evenly drawn, of draws (B,) in [0, 1)."""
        reach = int(self.translate * size + 0.5)
        pixels = torch.arange(size, device=draws.device)
        moved = pixels + (draws[:, None] * (2 * reach + 1)).floor() - reach
        return (moved[:, None, :] == pixels[:, None]).to(draws.dtype)

    def hole(self, draws: Tensor, size: int) -> Tensor:
        """Where a line (B, size) is cut, 1, round an evenly drawn centre, of draws (B,) in [0, 1)."""
        length = int(self.cutout * size + 0.5)
        pixels = torch.arange(size, device=draws.device)
        start = (draws[:, None] * (size + 1 - length % 2)).floor() - length // 2
        return ((pixels >= start) & (pixels < start + length)).to(draws.dtype)
