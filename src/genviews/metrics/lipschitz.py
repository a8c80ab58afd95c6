"""By how much a map stretches: locally, the spectral norm of its Jacobian, and between pairs of points.

The papers name Lipschitz constants and give no way to measure them; the ways here are this project's choice.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import jvp, vjp

from ..errors import require_positive
from ..randomness import normal, sample_seeds
from .geometry import standardise
from .points import require_paired


def jacobian_norms(f: Callable[[Tensor], Tensor], inputs: Tensor, iterations: int = 30, seed: int = 0) -> Tensor:
    """The largest singular value of the Jacobian of f at each sample, by power iteration on J^T J.

    One Jacobian-vector product of the whole batch is that of each sample, because f takes each by itself: a network in eval mode.

    Args:
        f: (B, ...) -> (B, ...), differentiable; sample by sample.
        inputs: float (B, ...).
        iterations: Of the power method, which comes from below; the larger the gap between singular values, the fewer it takes.
        seed: Of the first vectors, one a sample.

    Returns:
        (B,), in units of f's outputs by those of its inputs.

    Raises:
        OptionError: If `iterations` is not positive.
    """
    require_positive(iterations=iterations)
    seeds = sample_seeds(seed, torch.arange(len(inputs), device=inputs.device))
    direction = normal(seeds, inputs[0].numel()).to(inputs).view_as(inputs)
    _, pull = vjp(f, inputs)
    norms = direction.new_zeros(len(inputs))
    for _ in range(iterations):
        direction = direction / _norms(direction).clamp(min=torch.finfo(direction.dtype).tiny)
        _, stretched = jvp(f, (inputs,), (direction,))
        norms = _norms(stretched).flatten()
        (direction,) = pull(stretched)
    return norms.detach()


def lipschitz_ratios(inputs: Tensor, outputs: Tensor) -> Tensor:
    """|f(x) - f(x')| / |x - x'| of all pairs, both spaces standardised; see `standardise`.

    Args:
        inputs: x, (N, D).
        outputs: f(x), (N, d), row by row.

    Returns:
        float64 (P,), P <= N (N - 1) / 2, around 1: pairs of equal inputs are left out.

    Raises:
        DataError: If either is not finite (N, D), their N differ, or all are one point.
    """
    require_paired(inputs=inputs, outputs=outputs)
    before, after = torch.pdist(standardise(inputs, "inputs")), torch.pdist(standardise(outputs, "outputs"))
    return after[before > 0] / before[before > 0]


def _norms(vectors: Tensor) -> Tensor:
    """(B, 1, ...)."""
    return vectors.flatten(1).norm(dim=1).view(-1, *[1] * (vectors.ndim - 1))
