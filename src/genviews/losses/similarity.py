"""What losses measure between rows: (B, D), (K, D) -> (B, K), in float32 inside autocast too."""

import torch
from torch import Tensor

from ..errors import ShapeError


def inner_products(first: Tensor, second: Tensor) -> Tensor:
    """x . y of each row of (B, D) and each of (K, D): float32 (B, K)."""
    with torch.autocast(first.device.type, enabled=False):
        return first.float() @ second.float().T


def squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """|x - y|^2 of each row of (B, D) and each of (K, D): float32 (B, K), at least 0."""
    first, second = first.float(), second.float()
    squares = first.square().sum(1, keepdim=True) + second.square().sum(1)
    return (squares + inner_products(-2 * first, second)).clamp(min=0)


def require_pairs(where: str, first: Tensor, second: Tensor) -> None:
    """Refuses what is not two (B, D) tensors of one shape.

    Raises:
        ShapeError: Names both shapes.
    """
    if first.ndim != 2 or first.shape != second.shape:
        raise ShapeError(f"{where} takes two (B, D) tensors of one shape, got {tuple(first.shape)} and {tuple(second.shape)}")


def require_candidates(where: str, embeddings: Tensor, candidates: Tensor) -> None:
    """Refuses what is not (B, D) and candidates (K, D), K > 0.

    Raises:
        ShapeError: Names both shapes.
    """
    if embeddings.ndim != 2 or candidates.ndim != 2 or embeddings.shape[1] != candidates.shape[1] or not len(candidates):
        shapes = f"{tuple(embeddings.shape)} and {tuple(candidates.shape)}"
        raise ShapeError(f"{where} compares (B, D) with at least one row of (K, D), got {shapes}")
