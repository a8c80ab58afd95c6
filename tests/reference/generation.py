"""Naive generation metrics: loops over samples, and scipy's matrix square root."""

import math

import numpy as np
from scipy.linalg import sqrtm
from torch import Tensor


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Between the normal distributions fitted to two sets of features (N, D)."""
    means, covariances = [], []
    for features in (first.double().numpy(), second.double().numpy()):
        mean = sum(features) / len(features)
        means.append(mean)
        covariances.append(sum(np.outer(row - mean, row - mean) for row in features) / (len(features) - 1))
    root = sqrtm(covariances[0] @ covariances[1])
    return float(((means[0] - means[1]) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root.real))


def inception_score(probabilities: Tensor) -> float:
    """exp of the mean divergence of each row (N, K) from their mean."""
    rows = probabilities.tolist()
    marginal = [sum(row[k] for row in rows) / len(rows) for k in range(len(rows[0]))]
    divergences = [sum(p * math.log(p / q) for p, q in zip(row, marginal, strict=True) if p > 0) for row in rows]
    return math.exp(sum(divergences) / len(divergences))


def coverage(covering: Tensor, covered: Tensor, k: int) -> float:
    """The fraction of points `covered` (M, D) within the k-th nearest neighbour's distance of some point of `covering` (N, D)."""

    def distance(x: Tensor, y: Tensor) -> float:
        return math.dist(x.tolist(), y.tolist())

    radii = [sorted(distance(x, y) for j, y in enumerate(covering) if j != i)[k - 1] for i, x in enumerate(covering)]
    inside = [any(distance(x, y) <= radius for x, radius in zip(covering, radii, strict=True)) for y in covered]
    return sum(inside) / len(inside)
