"""DeepSpectral (Khrulkov et al. 2021): the latent directions along which a layer, or the image, changes most."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import jvp

from .spectrum import Spectrum

Activation = Callable[[Tensor, Tensor | None], Tensor]
"""Latents (B, D) and their conditions (B,), or None, -> (B, N)."""


def jacobian(activation: Activation, latent: Tensor, condition: Tensor | None = None, chunk: int = 64) -> Tensor:
    """The derivatives (D, N) of an activation (N,) at a latent (1, D) and its condition (1,), in forward mode."""

    def columns(tangents: Tensor) -> Tensor:
        count = len(tangents)
        given = None if condition is None else condition.expand(count)
        return jvp(lambda z: activation(z, given), (latent.repeat(count, 1),), (tangents,))[1]

    basis = torch.eye(latent.shape[1]).to(latent)
    return torch.cat([columns(tangents) for tangents in basis.split(chunk)])


def deep_spectral(activation: Activation, latents: Tensor, condition: Tensor | None = None, chunk: int = 64) -> Spectrum:
    """The eigenvectors of the mean of J^T J over some latents, J the Jacobian of an activation to the latent.

    At one latent they are the right singular vectors of J, and the values the squares of its singular values. To average over
    several is our choice: it makes them directions of the space rather than of a point.

    Args:
        activation: Of the generator.
        latents: Where: (n, D).
        condition: int64 (n,) of a conditional generator.
        chunk: Derivatives at once, the batch that the generator sees.
    """
    gram = torch.zeros((), dtype=torch.float64)
    for i in range(len(latents)):
        given = None if condition is None else condition[i : i + 1]
        rows = jacobian(activation, latents[i : i + 1], given, chunk).double()
        gram = gram + rows @ rows.T / len(latents)
    return Spectrum.of(gram)
