"""Layers whose Lipschitz constant is bounded (Gouk et al. 2018; Behrmann et al. 2019; Chen et al. 2019, sections 3.3 and 4)."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MOST_ITERATIONS = 200


class LipschitzMap(nn.Module):
    """A linear map of vectors, or a convolution of images, whose spectral norm is held below `bound`.

    The map is W / max(1, sigma / bound): a smaller norm stays as it is. sigma = u' W v, of stored singular vectors, which are
    images where the convolution is wider than one pixel; `update` keeps them up to date with W.

    Args:
        inputs: Numbers, or channels, in.
        outputs: Numbers, or channels, out.
        kernel: Side of the convolution's kernel, odd; None for a map of vectors.
        size: (H, W) of the images.
        bound: On the norm.
        tolerance: `update` stops when u and v move by less; see there.
        iterations: How many `update` makes instead; None to go by the tolerance.
    """

    u: Tensor
    v: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | None,
        size: tuple[int, int],
        bound: float,
        tolerance: float,
        iterations: int | None,
    ):
        super().__init__()
        self.bound, self.tolerance, self.iterations = bound, tolerance, iterations
        plain = nn.Linear(inputs, outputs) if kernel is None else nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.weight, self.bias = plain.weight, plain.bias
        self.places = () if kernel is None else (1, 1) if kernel == 1 else size
        self.register_buffer("u", F.normalize(torch.randn(outputs * math.prod(self.places)), dim=0))
        self.register_buffer("v", F.normalize(torch.randn(inputs * math.prod(self.places)), dim=0))
        self.update()

    def _map(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.linear(x, weight, bias) if weight.ndim == 2 else F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)

    def _forth(self, v: Tensor) -> Tensor:
        """W v."""
        return self._map(v.view(1, -1, *self.places), self.weight).flatten()

    def _back(self, u: Tensor) -> Tensor:
        """W' u; the transpose of a convolution is one by the flipped kernel."""
        transposed = self.weight.transpose(0, 1).flip(tuple(range(2, self.weight.ndim)))
        return self._map(u.view(1, -1, *self.places), transposed).flatten()

    def norm(self) -> Tensor:
        """sigma, a scalar, differentiable to the weights."""
        return self.u.dot(self._forth(self.v))

    def forward(self, x: Tensor) -> Tensor:
        return self._map(x, self.weight / (self.norm() / self.bound).clamp(min=1), self.bias)

    @torch.no_grad()
    def update(self) -> None:
        """Power iteration: u <- W v / |W v|, v <- W' u / |W' u|.

        It ends when both have moved, root mean square, by less than tolerance * (1 + their largest number).
        """
        for _ in range(self.iterations or _MOST_ITERATIONS):
            u = F.normalize(self._forth(self.v), dim=0)
            v = F.normalize(self._back(u), dim=0)
            settled = self._settled(u, self.u) and self._settled(v, self.v)
            self.u, self.v = u, v
            if settled and self.iterations is None:
                break

    def _settled(self, new: Tensor, old: Tensor) -> bool:
        return bool((new - old).square().mean().sqrt() < self.tolerance * (1 + new.max()))


class LipSwish(nn.Module):
    """x sigmoid(softplus(beta) x) / 1.1, of Lipschitz constant one, with a learned beta (Chen et al. 2019, eq. 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.tensor([0.5]))

    def forward(self, x: Tensor) -> Tensor:
        return x * (x * F.softplus(self.beta)).sigmoid() / 1.1


class LipschitzCube(nn.Module):
    """x^3 / 3 in [-1, 1], continued by straight lines of slope one."""

    def forward(self, x: Tensor) -> Tensor:
        inner = x.clamp(-1, 1)
        return inner**3 / 3 + (x - inner)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "swish": LipSwish,
    "elu": nn.ELU,
    "softplus": nn.Softplus,
    "lcube": LipschitzCube,
    "relu": nn.ReLU,
    "identity": nn.Identity,
}
"""The activations of Lipschitz constant one, by the names of the original code."""
