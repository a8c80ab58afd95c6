"""Naive versions of the closed-form ways to discover directions."""

from collections.abc import Callable

import numpy as np


def regressed_components(latents: np.ndarray, activations: np.ndarray, count: int) -> np.ndarray:
    """GANSpace: principal components by singular values, their coordinates, then least squares to the latents; (count, D)."""
    centred = activations - activations.mean(0)
    _, _, components = np.linalg.svd(centred, full_matrices=False)
    coordinates = centred @ components[:count].T
    solution, *_ = np.linalg.lstsq(coordinates, latents - latents.mean(0), rcond=None)
    return solution / np.linalg.norm(solution, axis=1, keepdims=True)


def factorised(weights: list[np.ndarray], normalise: bool) -> tuple[np.ndarray, np.ndarray]:
    """SeFa: sums over outputs one by one, then any eigenvalues, sorted; directions (D, D) and values (D,)."""
    dim = weights[0].shape[1]
    gram = np.zeros((dim, dim))
    for weight in weights:
        for row in weight.astype(np.float64):
            unit = row / np.linalg.norm(row) if normalise else row
            gram += np.outer(unit, unit)
    values, vectors = np.linalg.eig(gram)
    order = np.argsort(-values.real)
    return vectors.real[:, order].T, values.real[order]


def finite_differences(function: Callable[[np.ndarray], np.ndarray], point: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The Jacobian (N, D) of a function of (D,) to (N,), central differences."""
    columns = []
    for i in range(len(point)):
        shift = np.zeros_like(point)
        shift[i] = step
        columns.append((function(point + shift) - function(point - shift)) / (2 * step))
    return np.stack(columns, axis=1)
