"""The invertible layers of a Residual Flow: `layer(x, log_det)` gives y and log |det dy/dx| (B,), `layer.inverse(y)` gives x."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fixed_point import invert
from .lipschitz import ACTIVATIONS, LipschitzMap
from .log_det import LogDet

Shape = tuple[int, int, int]


class Logit(nn.Module):
    """logit(margin + (1 - 2 margin) x), of the numbers of images in [0, 1]."""

    def __init__(self, margin: float):
        super().__init__()
        self.margin = margin

    def forward(self, x: Tensor, log_det: LogDet) -> tuple[Tensor, Tensor]:
        tiny = torch.finfo(x.dtype).eps
        p = (self.margin + (1 - 2 * self.margin) * x).clamp(tiny, 1 - tiny)
        return p.logit(), (math.log(1 - 2 * self.margin) - (p * (1 - p)).log()).flatten(1).sum(dim=1)

    def inverse(self, y: Tensor) -> Tensor:
        return (y.sigmoid() - self.margin) / (1 - 2 * self.margin)


class ActNorm(nn.Module):
    """(x + bias) exp(weight), one of each for every channel or, if `shape` says so, every number."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.shape = shape
        self.weight = nn.Parameter(torch.zeros(math.prod(shape)))
        self.bias = nn.Parameter(torch.zeros(math.prod(shape)))

    def forward(self, x: Tensor, log_det: LogDet) -> tuple[Tensor, Tensor]:
        weight = self.weight.view(self.shape)
        return (x + self.bias.view(self.shape)) * weight.exp(), weight.expand(x.shape).flatten(1).sum(dim=1)

    def inverse(self, y: Tensor) -> Tensor:
        return y * (-self.weight.view(self.shape)).exp() - self.bias.view(self.shape)

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Makes these x (B, C, H, W) have mean zero and variance one, or what they have below 0.2 divided by that."""
        over = (0,) if self.shape == x.shape[1:] else (0, 2, 3)
        variance, mean = torch.var_mean(x, dim=over)
        self.bias.copy_(-mean.flatten())
        self.weight.copy_(-0.5 * variance.clamp(min=0.2).log().flatten())


class Squeeze(nn.Module):
    """Every 2 x 2 pixels become four channels."""

    def forward(self, x: Tensor, log_det: LogDet) -> tuple[Tensor, Tensor]:
        return F.pixel_unshuffle(x, 2), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        return F.pixel_shuffle(y, 2)


class ResidualBlock(nn.Module):
    """x + g(x), where g, a chain of Lipschitz maps with activations between, contracts.

    Args:
        shape: (C, H, W) of x.
        hidden: Channels, or numbers, inside g.
        kernels: Sides of g's convolutions.
        activation: One of `ACTIVATIONS`.
        preactivation: g begins with one.
        dense: g is of vectors; of the kernels only their number matters.
        norm: Arguments of `LipschitzMap`.
    """

    def __init__(
        self, shape: Shape, hidden: int, kernels: Sequence[int], activation: str, preactivation: bool, dense: bool, **norm: Any
    ):
        super().__init__()
        self.dense = dense
        outer = math.prod(shape) if dense else shape[0]
        widths = [outer, *[hidden] * (len(kernels) - 1), outer]
        layers: list[nn.Module] = []
        for (inputs, outputs), kernel in zip(pairwise(widths), kernels, strict=True):
            layers += [ACTIVATIONS[activation](), LipschitzMap(inputs, outputs, None if dense else kernel, shape[1:], **norm)]
        self.nnet = nn.Sequential(*(layers if preactivation else layers[1:]))

    def g(self, x: Tensor) -> Tensor:
        return self.nnet(x.flatten(1) if self.dense else x).reshape(x.shape)

    def forward(self, x: Tensor, log_det: LogDet) -> tuple[Tensor, Tensor]:
        change, gained = log_det(self.g, x)
        return x + change, gained

    def inverse(self, y: Tensor) -> Tensor:
        return invert(self.g, y)
