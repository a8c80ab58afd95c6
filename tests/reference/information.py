"""Bounds of mutual information, score by score, and data whose mutual information is known."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def donsker_varadhan(joint: Sequence[float], product: Sequence[float]) -> float:
    return sum(joint) / len(joint) - math.log(sum(math.exp(score) for score in product) / len(product))


def nguyen_wainwright_jordan(joint: Sequence[float], product: Sequence[float]) -> float:
    return sum(joint) / len(joint) - sum(math.exp(score - 1) for score in product) / len(product)


def info_nce(scores: Sequence[Sequence[float]]) -> float:
    total = 0.0
    for i, row in enumerate(scores):
        total += math.log(math.exp(row[i]) / (sum(math.exp(score) for score in row) / len(row)))
    return total / len(scores)


def gaussians(n: int, dim: int, correlation: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """n pairs of standard normal vectors, correlated dimension by dimension."""
    x, noise = torch.randn(2, n, dim, generator=torch.Generator().manual_seed(seed))
    return x, correlation * x + math.sqrt(1 - correlation**2) * noise


def gaussian_information(dim: int, correlation: float) -> float:
    """Their mutual information in nats."""
    return -dim / 2 * math.log(1 - correlation**2)


def gaussian_ratio(first: Tensor, second: Tensor, correlation: float) -> Tensor:
    """log p(x, y) / p(x) p(y), which is the best critic, of each row of (N, D) and each of (M, D): (N, M)."""
    x, y, r = first[:, None], second[None], correlation
    exponent = (2 * r * x * y - r**2 * (x.square() + y.square())) / (2 * (1 - r**2))
    return exponent.sum(2) + gaussian_information(first.shape[1], r)
