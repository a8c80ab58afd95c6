"""InfoNCE with the kernel of t-SNE: distances of raw embeddings under a Student t distribution."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ShapeError, require_positive
from .similarity import require_candidates, require_pairs, squared_distances


def student_t_info_nce(first: Tensor, second: Tensor, temperature: float = 8.0, df: float = 5.0) -> Tensor:
    """t-SimCLR (Hu et al. 2023): InfoNCE whose candidates are all pairs at once, near by a heavy-tailed kernel, as in t-SNE.

    With k(x, y) = (1 + |x - y|^2 / (t df))^(-(df + 1) / 2), the mean over the positive pairs of -log(k(x, y) / sum k); the one
    sum is over all ordered pairs of different embeddings of both views.

    Args:
        first: (B, D), as they are: not l2-normalised.
        second: (B, D), the positives, row by row.
        temperature: t > 0.
        df: Degrees of freedom > 0; many make the kernel Gaussian.

    Returns:
        float32 scalar, in nats.

    Raises:
        ShapeError: If the shapes differ or B is 1, which leaves no negative.
        OptionError: If `temperature` or `df` is not positive.
    """
    require_pairs("student_t_info_nce", first, second)
    if len(first) < 2:
        raise ShapeError("student_t_info_nce got a batch of 1, which has no negatives; use a batch size of at least 2")
    both = torch.cat([first, second])
    itself = torch.eye(len(both), dtype=torch.bool, device=both.device)
    pairs = _log_kernel(squared_distances(both, both), temperature, df).masked_fill(itself, -torch.inf)
    return pairs.flatten().logsumexp(0) - _log_kernel(_row_distances(first, second), temperature, df).mean()


def student_t_queue(queries: Tensor, keys: Tensor, queue: Tensor, temperature: float = 5.0, df: float = 10.0) -> Tensor:
    """t-MoCo (Hu et al. 2023): `queue_info_nce` with the kernel of `student_t_info_nce` in place of exp(x . y / t).

    Args:
        queries: (B, D), as they are: not l2-normalised.
        keys: (B, D), the positives, row by row.
        queue: (K, D), the negatives of all.
        temperature: t > 0.
        df: Degrees of freedom > 0.

    Returns:
        The mean over the queries, float32 scalar, in nats.

    Raises:
        ShapeError: If the shapes do not fit or the queue is empty.
        OptionError: If `temperature` or `df` is not positive.
    """
    require_pairs("student_t_queue", queries, keys)
    require_candidates("student_t_queue", queries, queue)
    positives = _log_kernel(_row_distances(queries, keys), temperature, df)
    negatives = _log_kernel(squared_distances(queries, queue), temperature, df)
    return F.softplus(negatives.logsumexp(1) - positives).mean()


def student_t_distance(first: Tensor, second: Tensor, temperature: float = 8.0, df: float = 5.0) -> Tensor:
    """-log k(x, y) under the kernel of `student_t_info_nce`, the mean over pairs: what attracts positives there.

    Args:
        first: (B, D), as they are.
        second: (B, D), row by row.
        temperature: t > 0.
        df: Degrees of freedom > 0.

    Returns:
        float32 scalar, at least 0.

    Raises:
        ShapeError: If the shapes differ.
        OptionError: If `temperature` or `df` is not positive.
    """
    require_pairs("student_t_distance", first, second)
    return -_log_kernel(_row_distances(first, second), temperature, df).mean()


def _log_kernel(squared: Tensor, temperature: float, df: float) -> Tensor:
    require_positive(temperature=temperature, df=df)
    return -(df + 1) / 2 * (squared / (temperature * df)).log1p()


def _row_distances(first: Tensor, second: Tensor) -> Tensor:
    return (first.float() - second.float()).square().sum(1)
