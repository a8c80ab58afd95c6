"""Naive versions of what sees the geometry of representations: loops over pairs, and grids."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq


def sne_p(points: NDArray, perplexity: float) -> NDArray:
    """SNE's conditional probabilities, each row's variance by a root finder."""
    n = len(points)
    p = np.zeros((n, n))
    for i in range(n):
        others = [j for j in range(n) if j != i]
        squared = np.array([np.sum((points[i] - points[j]) ** 2) for j in others])

        def row(log_beta: float, squared: NDArray = squared) -> NDArray:
            weights = np.exp(-math.exp(log_beta) * (squared - squared.min()))
            return weights / weights.sum()

        def excess(log_beta: float, row=row) -> float:
            found = row(log_beta)
            found = found[found > 0]
            return float(-(found * np.log(found)).sum()) - math.log(perplexity)

        p[i, others] = row(brentq(excess, -25, 25, xtol=1e-13))
    return p


def kl(p: NDArray, q: NDArray) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p.flat, q.flat, strict=True) if a > 0)


def gaussian_q(points: NDArray) -> NDArray:
    n = len(points)
    q = np.array([[math.exp(-np.sum((points[i] - points[j]) ** 2)) if i != j else 0 for j in range(n)] for i in range(n)])
    return q / q.sum(1, keepdims=True)


def student_q(points: NDArray) -> NDArray:
    n = len(points)
    q = np.array([[1 / (1 + np.sum((points[i] - points[j]) ** 2)) if i != j else 0 for j in range(n)] for i in range(n)])
    return q / q.sum()


def shadow_distance(line: NDArray, plane: NDArray, angles: int = 20_000) -> float:
    """The least W_2 of points on a line (N,) and projections of as many in the plane (N, 2), over a grid of angles."""
    line, plane = np.sort(line - line.mean()), plane - plane.mean(0)
    turns = np.linspace(0, 2 * np.pi, angles)
    shadows = np.sort(plane @ np.stack([np.cos(turns), np.sin(turns)]), axis=0)
    return float(np.sqrt(np.square(shadows - line[:, None]).mean(0).min()))
