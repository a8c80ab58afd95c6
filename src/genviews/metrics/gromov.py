"""Distances between distributions of different dimensions, of two sets of points that stand for them.

POT takes seconds to import, so only the functions that need it do.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import OptionError
from ..randomness import normal, sample_seeds, uniform
from .points import require_paired, require_points

Array = NDArray[np.float64]


def gromov_wasserstein(x: Tensor, y: Tensor, *, paired: bool = False, restarts: int = 10, seed: int = 0) -> float:
    """The squared Gromov-Wasserstein distance of two sets of points: how much pairwise distances change under the best matching.

    The least sum of (|x_i - x_k| - |y_j - y_l|)^2 T_ij T_kl over couplings T of uniform weights: POT's, without the 1/2 of
    Memoli (2011). The descent (Frank-Wolfe) finds local minima, so it starts from the independent coupling, from the identity
    for paired samples, where y = f(x), and from random couplings, and the least is kept; these starts are this project's choice.

    Args:
        x: (N, D).
        y: (M, d).
        paired: Whether row i of y belongs to row i of x.
        restarts: Random starts, 0 or more.
        seed: Of the random starts; more of them never find more.

    Returns:
        0 for sets that are the same up to an isometry; in squared units of the points.

    Raises:
        DataError: If either is not finite (N, D) with N > 1, or paired sets differ in size.
        OptionError: If `restarts` is negative.
    """
    import ot

    first, second = _arrays(x, y, paired, restarts)
    distances, others = (ot.dist(points, points, metric="euclidean") for points in (first, second))
    n, m = len(first), len(second)
    weights, other_weights = np.full(n, 1 / n), np.full(m, 1 / m)

    def starts() -> Iterator[Array]:
        yield np.outer(weights, other_weights)
        if paired:
            yield np.eye(n) / n
        for restart in range(restarts):
            cost = uniform(sample_seeds(seed, torch.tensor([restart])), n * m).double().view(n, m).numpy()
            yield ot.emd(weights, other_weights, cost)

    return min(
        float(ot.gromov.gromov_wasserstein2(distances, others, weights, other_weights, "square_loss", G0=start))
        for start in starts()
    )


def cai_lim(x: Tensor, y: Tensor, *, paired: bool = False, restarts: int = 10, seed: int = 0) -> float:
    """The distance D+ of two sets of points of different dimensions (Cai & Lim 2022): how far one is from a shadow of the other.

    The least 2-Wasserstein distance of x in R^d and V^T y + b over orthonormal V (D, d) and b; it is their D-, by projection,
    which equals their D+, by embedding x into R^D, as they prove. As a descent: the best coupling by `ot.emd`; then x is
    completed in R^D by what y has there, and an orthogonal Procrustes problem solved, again and again. Its starts are this
    project's choice: principal axes on principal axes, Procrustes of the pairs, and random V; the least is kept.

    Args:
        x: (N, D).
        y: (M, d); either may be the one of more dimensions.
        paired: Whether row i of y belongs to row i of x.
        restarts: Random starts, 0 or more.
        seed: Of the random starts; more of them never find more.

    Returns:
        0 if one is an orthogonal projection of the other; in units of the points.

    Raises:
        DataError: If either is not finite (N, D) with N > 1, or paired sets differ in size.
        OptionError: If `restarts` is negative.
    """
    small, large = sorted(_arrays(x, y, paired, restarts), key=lambda points: points.shape[1])
    small, large = small - small.mean(0), _coordinates(large - large.mean(0), small.shape[1])
    shape = large.shape[1], small.shape[1]

    def starts() -> Iterator[Array]:
        yield _axes(large)[:, : shape[1]] @ _axes(small).T
        if paired:
            yield _orthonormal(large.T @ small)
        for restart in range(restarts):
            numbers = normal(sample_seeds(seed, torch.tensor([restart])), math.prod(shape))
            yield _orthonormal(numbers.double().numpy().reshape(shape))

    return min(_descend(small, large, start) for start in starts()) ** 0.5


def _descend(small: Array, large: Array, v: Array, steps: int = 200, turns: int = 10, tolerance: float = 1e-9) -> float:
    """The squared distance that alternating between couplings and V arrives at."""
    import ot

    weights, other_weights = np.full(len(small), 1 / len(small)), np.full(len(large), 1 / len(large))
    largest = np.linalg.norm(large, 2) ** 2 / len(large)
    scale, least = np.square(small).sum(1).mean() + np.square(large).sum(1).mean(), np.inf
    for _ in range(steps):
        cost = ot.dist(small, large @ v)
        coupling = ot.emd(weights, other_weights, cost)
        value = float((coupling * cost).sum())
        if not value < least - tolerance * scale:
            break
        least = value
        cross = large.T @ coupling.T @ small
        for _ in range(turns):  # |V^T y|^2 depends on V, so that one Procrustes problem after the other bounds it
            v = _orthonormal(cross + largest * v - large.T @ (large @ v) / len(large))
    return least


def _coordinates(points: Array, room: int) -> Array:
    """Many dimensions (N, D) in as few as hold the points and `room` more, the same up to an isometry."""
    if points.shape[1] <= len(points) + room:
        return points
    return np.pad(np.linalg.qr(points.T)[1].T, [(0, 0), (0, room)])


def _axes(points: Array) -> Array:
    """The principal axes (D, D) of centred points, widest first, each to the side where its coordinates are skewed."""
    axes = np.linalg.svd(points)[2].T
    return axes * np.where(((points @ axes) ** 3).sum(0) < 0, -1, 1)


def _orthonormal(matrix: Array) -> Array:
    """The nearest (D, d) of orthonormal columns."""
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    return left @ right


def _arrays(x: Tensor, y: Tensor, paired: bool, restarts: int) -> tuple[Array, Array]:
    (require_paired if paired else require_points)(x=x, y=y)
    if restarts < 0:
        raise OptionError(f"restarts is {restarts}; it is 0 or more")
    return x.double().cpu().numpy(), y.double().cpu().numpy()
