"""log |det(I + dg/dx)| of a contraction g: exactly, or by its power series without bias (Chen et al. 2019, section 3)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Contraction = Callable[[Tensor], Tensor]
LogDet = Callable[[Contraction, Tensor], tuple[Tensor, Tensor]]
"""Of g and x (B, ...): g(x) (B, ...) and log |det(I + dg/dx)| (B,)."""


def by_jacobian(g: Contraction, x: Tensor) -> tuple[Tensor, Tensor]:
    """The `LogDet` by the whole Jacobian, which takes as many passes as x has dimensions."""
    dim = x[0].numel()
    jacobian = torch.func.vmap(torch.func.jacrev(lambda sample: g(sample[None])[0]))(x).reshape(len(x), dim, dim)
    return g(x), torch.linalg.slogdet(torch.eye(dim, dtype=x.dtype, device=x.device) + jacobian).logabsdet


def by_power_series(g: Contraction, x: Tensor, probes: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The `LogDet` as sum_k (-1)^(k+1) / k weight_k e' J^k e, with the gradient of the Neumann series (eqs. 6 and 8).

    Both are without bias if the probes e have identity covariance and each weight has mean one. Only one product with J is kept
    for the gradient, however many terms there are.

    Args:
        g: The contraction.
        x: (B, ...).
        probes: e, of x's shape.
        weights: (K, B) or (K, 1), one row a term; see `roulette`.
    """

    def product(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).flatten(1).sum(dim=1)

    change, pull, *_ = torch.func.vjp(g, x)
    value = x.new_zeros(len(x))
    power = neumann = probes
    with torch.no_grad():
        for k, weight in enumerate(weights, 1):
            power = -pull(power)[0]
            value = value - weight / k * product(power, probes)
            neumann = neumann + weight.view(-1, *[1] * (x.ndim - 1)) * power
    surrogate = product(pull(neumann.detach())[0], probes)
    return change, value.detach() + (surrogate - surrogate.detach())


def roulette(draws: Tensor, exact_terms: int, distribution: str) -> Tensor:
    """Weights of a power series of random length: exact_terms + N terms, term exact_terms + k weighted 1 / P(N >= k).

    Args:
        draws: Uniform in [0, 1), (B,), one a sample; N is the largest k with P(N >= k) above it.
        exact_terms: How many terms there are always, of weight one.
        distribution: Of N: "poisson" of mean 2, or "geometric" of mean 2.

    Returns:
        float32 (K, B), K the longest's length; zero beyond a sample's own.
    """
    survival = torch.tensor(_SURVIVAL[distribution], device=draws.device)[:, None]
    weights = (draws < survival) / survival
    return torch.cat([weights.new_ones(exact_terms, len(draws)), weights[weights.any(dim=1)]])


_POISSON = [math.exp(-2) * 2**n / math.factorial(n) for n in range(40)]

_SURVIVAL = {"poisson": [sum(_POISSON[k:]) for k in range(1, 14)], "geometric": [0.5 ** (k - 1) for k in range(1, 26)]}
"""P(N >= k) for k = 1, 2 and so on, while above 2^-24, which a uniform draw can tell from zero."""

DISTRIBUTIONS = tuple(_SURVIVAL)
