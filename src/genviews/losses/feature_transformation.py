"""Harder positives and more diverse negatives, mixed of those at hand (Zhu et al. 2021): what `queue_info_nce` then contrasts.

The authors' inner products are those of the mixtures as they are: `queue_info_nce(..., normalise=False)`.
"""

from torch import Tensor

from ..errors import ShapeError
from .similarity import require_pairs


def extrapolate(queries: Tensor, keys: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Moves each query and its key apart: q' = l q + (1 - l) k and k' = l k + (1 - l) q, with l = 1 + weight (section 4.1).

    Args:
        queries: q, (B, D), l2-normalised.
        keys: k, (B, D), l2-normalised, row by row.
        weights: In [0, 1], one an entry (B, D) or one for all (scalar); the authors draw them from Beta(2, 2).

    Returns:
        q' and k', (B, D); the gradient of k' flows into the queries too.

    Raises:
        ShapeError: If the shapes do not fit.
    """
    require_pairs("extrapolate", queries, keys)
    _require_weights(weights, queries)
    push = weights * (queries - keys)
    return queries + push, keys - push


def interpolate(negatives: Tensor, permutation: Tensor, weights: Tensor) -> Tensor:
    """Mixes each negative with another: n'_i = l n_i + (1 - l) n_permutation(i), with l = weight (section 4.2).

    Args:
        negatives: n, (K, D), l2-normalised.
        permutation: Whom each is mixed with, int64 (K,).
        weights: In [0, 1], one an entry (K, D) or one for all (scalar); the authors draw them from Beta(1.6, 1.6).

    Returns:
        n', (K, D).

    Raises:
        ShapeError: If the shapes do not fit.
    """
    if negatives.ndim != 2 or permutation.shape != negatives.shape[:1]:
        shapes = f"{tuple(negatives.shape)} and {tuple(permutation.shape)}"
        raise ShapeError(f"interpolate takes (K, D) and a permutation (K,), got {shapes}")
    _require_weights(weights, negatives)
    return weights * negatives + (1 - weights) * negatives[permutation]


def _require_weights(weights: Tensor, of: Tensor) -> None:
    if weights.shape not in ((), of.shape):
        raise ShapeError(f"weights are {tuple(weights.shape)}; pass one, or one for each entry of {tuple(of.shape)}")
