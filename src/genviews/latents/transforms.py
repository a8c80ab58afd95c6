"""Latent transforms T_z: z -> z', the view of a latent that a generator renders as the positive."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..randomness import Rng, as_seeds, normal, prior


class LatentTransform(nn.Module):
    """How a latent moves: `transform(z (B, D), rng=None) -> z' (B, D)`; `rng` is a torch.Generator or a seed a sample."""

    def forward(self, latents: Tensor, rng: Rng = None) -> Tensor:
        raise NotImplementedError


class Identity(LatentTransform):
    """z' = z: the positive is the same image, only T_x makes views."""

    def forward(self, latents: Tensor, rng: Rng = None) -> Tensor:
        return latents


class Gaussian(LatentTransform):
    """z' = z + std * n, n ~ N(0, I) truncated at `truncation` standard deviations (GenRep, Jahanian et al. 2022, truncates at 2).

    Args:
        std: Standard deviation before truncation; GenRep uses 0.2 for BigBiGAN, 1.0 for BigGAN-deep, 0.25 for StyleGAN2 cars.
        truncation: In standard deviations; None for the untruncated normal.
    """

    def __init__(self, std: float = 0.2, truncation: float | None = 2.0):
        super().__init__()
        self.std, self.truncation = std, truncation

    def forward(self, latents: Tensor, rng: Rng = None) -> Tensor:
        seeds = as_seeds(rng, len(latents), latents.device)
        return latents + self.std * normal(seeds, latents.shape[1], self.truncation)


class Spherical(LatentTransform):
    """A Gaussian step projected back to the sphere of the latent's own radius: z' = ||z|| (z + std n) / ||z + std n||."""

    def __init__(self, std: float = 0.2):
        super().__init__()
        self.std = std

    def forward(self, latents: Tensor, rng: Rng = None) -> Tensor:
        seeds = as_seeds(rng, len(latents), latents.device)
        moved = latents + self.std * normal(seeds, latents.shape[1])
        return moved * (
            torch.linalg.vector_norm(latents, dim=1, keepdim=True) / torch.linalg.vector_norm(moved, dim=1, keepdim=True)
        )


class Shell(LatentTransform):
    """A step of the length that a Gaussian one has in high dimensions: z' = z + std sqrt(D) n / ||n||, n ~ N(0, I)."""

    def __init__(self, std: float = 0.2):
        super().__init__()
        self.std = std

    def forward(self, latents: Tensor, rng: Rng = None) -> Tensor:
        seeds = as_seeds(rng, len(latents), latents.device)
        return latents + self.std * math.sqrt(latents.shape[1]) * F.normalize(normal(seeds, latents.shape[1]), dim=1)


class Resample(LatentTransform):
    """z' ~ p(z), independent of z: under one condition, another sample of the same class (GenRep's "random")."""

    def __init__(self, truncation: float | None = None):
        super().__init__()
        self.truncation = truncation

    def forward(self, latents: Tensor, rng: Rng = None) -> Tensor:
        return prior(as_seeds(rng, len(latents), latents.device), latents.shape[1], self.truncation)
