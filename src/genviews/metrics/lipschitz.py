"""By how much a map stretches: locally, the spectral norm of its Jacobian, and between pairs of points.

The papers name Lipschitz constants and give no way to measure them; the ways here are this project's choice.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import grad
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..errors import require_positive
from ..randomness import Rng, as_seeds, normal
from .geometry import standardise
from .points import require_paired


def jacobian_norms(f: Callable[[Tensor], Tensor], inputs: Tensor, iterations: int = 30, rng: Rng = None) -> Tensor:
    """The largest singular value of the Jacobian of f at each sample, by power iteration on J^T J.

    One product with the Jacobian of the batch is one with each sample's, because f takes each by itself: a network in eval mode.
    J is the transpose of J^T, so that backward passes alone give both; the forward pass is made once.

    Args:
        f: (B, ...) -> (B, ...), differentiable; sample by sample.
        inputs: float (B, ...).
        iterations: Of the power method, which comes from below; the larger the gap between singular values, the fewer it takes.
        rng: Of the first vectors: a torch.Generator, or int64 seeds (B,), one a sample.

    Returns:
        (B,), in units of f's outputs by those of its inputs.

    Raises:
        OptionError: If `iterations` is not positive.
    """
    require_positive(iterations=iterations)
    direction = normal(as_seeds(rng, len(inputs), inputs.device), inputs[0].numel()).to(inputs).view_as(inputs)
    inputs = inputs.detach().requires_grad_()
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
        outputs = f(inputs)
        pulled = torch.zeros_like(outputs, requires_grad=True)
        (pull,) = grad(outputs, inputs, pulled, create_graph=True)  # J^T u, a linear map of u, whose transpose is J
        for _ in range(iterations):
            direction = direction / _norms(direction).clamp(min=torch.finfo(direction.dtype).tiny)
            (stretched,) = grad(pull, pulled, direction, retain_graph=True)
            (direction,) = grad(outputs, inputs, stretched, retain_graph=True)
    return _norms(stretched).flatten()


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
