"""GANSpace (Harkonen et al. 2020): principal components of latents, or of what a layer makes of them."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import OptionError
from .spectrum import Spectrum

_MOST = 8192


def moments(batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """The mean (N,) and the covariance (N, N) of batches (B, N), over all samples; float64, in one pass (Chan et al. 1979).

    Raises:
        OptionError: If N is above 8,192, for whose covariance a computer takes too long.
    """
    seen, mean, scatter = 0, torch.zeros(()), torch.zeros(())
    for batch in batches:
        if batch.shape[1] > _MOST:
            raise OptionError(f"a covariance of {batch.shape[1]} numbers is too large; take a layer so that it is of {_MOST}")
        own = batch.double().mean(0)
        shift, centred, total = own - mean, batch - own, seen + len(batch)
        scatter = scatter + centred.T @ centred + seen * len(batch) / total * shift.outer(shift)
        mean = mean + len(batch) / total * shift
        seen = total
    return mean, scatter / seen


def ganspace(batches: Iterable[tuple[Tensor, Tensor]], dim: int) -> Spectrum:
    """Principal components of activations, each carried back to the latents by least squares (section 2.2).

    The k-th direction is the column u_k of the U that minimises E |U x - z|^2, x the activation's centred coordinates along its
    components. These are uncorrelated, so that u_k ~ Cov(z, x_k). Of latents as their own activations it is their component.

    Args:
        batches: Latents (B, D) and their activations (B, N); the latents again for components of a space that is not isotropic,
            such as StyleGAN2's w.
        dim: D.

    Returns:
        Up to D directions; their values are the components' variances.

    Raises:
        OptionError: If there are more than about 8,000 activations.
    """
    _, covariance = moments(torch.cat(batch, dim=1) for batch in batches)
    components, variances = Spectrum.of(covariance[dim:, dim:])
    return Spectrum(F.normalize(components[:dim] @ covariance[dim:, :dim], dim=1), variances[:dim])
