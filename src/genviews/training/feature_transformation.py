"""Feature transformation (Zhu et al. 2021): MoCo with harder positives and more diverse negatives, mixed of those it has."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import betaincinv
from torch import Tensor

from ..errors import require_positive
from ..losses import extrapolate, gather, interpolate, queue_info_nce
from ..randomness import derive, uniform
from ..views.sources import Pair
from .moco import MOMENTUM, QUEUE, MoCo


@lru_cache
def _quantiles(alpha: float) -> Tensor:
    """Of Beta(alpha, alpha), in the middles of 4096 equal shares of its probability."""
    return torch.from_numpy(betaincinv(alpha, alpha, (np.arange(4096) + 0.5) / 4096)).float()


def beta(seeds: Tensor, count: int, alpha: float) -> Tensor:
    """Numbers from Beta(alpha, alpha), float32 (n, count): `count` for each of the seeds int64 (n,)."""
    quantiles = _quantiles(alpha).to(seeds.device)
    return quantiles[(uniform(seeds, count) * len(quantiles)).long()]


class FeatureTransformation(MoCo):
    """MoCo that pushes each query and its key apart and mixes each negative of the queue with another, entry by entry.

    As in the authors' code, mixtures are not normalised again, and the keys that were pushed away enter the queue.
    Generated views attract queries and keys before these are mixed.

    Args:
        temperature: Of InfoNCE.
        momentum: As in `MoCo`.
        queue: As in `MoCo`.
        positives: alpha of the Beta(alpha, alpha) that positives are extrapolated by; None leaves them as they are.
        negatives: alpha of the Beta(alpha, alpha) that negatives are interpolated by; None leaves them as they are.
    """

    def __init__(
        self,
        *args: Any,
        temperature: float = 0.2,
        momentum: float = MOMENTUM,
        queue: int = QUEUE,
        positives: float | None = 2.0,
        negatives: float | None = 1.6,
    ):
        super().__init__(*args, temperature=temperature, momentum=momentum, queue=queue)
        require_positive(positives=positives, negatives=negatives)
        self.positives, self.negatives = positives, negatives

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        queries, keys = (F.normalize(embeddings.float(), dim=1) for embeddings in self.queries_and_keys(views, seeds))
        attraction = self.attraction(queries, keys, views)
        queue = self.queue.keys
        if self.positives:
            queries, keys = extrapolate(queries, keys, beta(derive(seeds, 4), queue.shape[1], self.positives))
        if self.negatives:
            rows = gather(seeds)[0] + torch.arange(len(queue), device=queue.device)
            others = uniform(derive(rows, 5), 1)[:, 0].argsort()
            queue = interpolate(queue, others, beta(derive(rows, 6), queue.shape[1], self.negatives))
        self.queue.remember(keys)
        return queue_info_nce(queries, keys, queue, self.temperature, normalise=False) + attraction
