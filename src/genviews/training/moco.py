"""MoCo v2 (He et al. 2020; Chen, Fan et al. 2020): a query looks for its key in a queue of those of earlier batches."""

from typing import Any

import torch
from torch import Tensor, nn

from ..encoders import projector
from ..losses import gather, queue_info_nce
from ..randomness import derive, uniform
from ..views.sources import Pair
from .memory import Memory
from .method import Method
from .momentum import follow, frozen_copy, require_momentum

MOMENTUM, QUEUE = 0.99, 4096


class MoCo(Method):
    """Minimises InfoNCE of queries f(x) and keys f_k(x'), where f_k slowly follows f, against a queue of earlier keys.

    Copy and queue move once an optimiser step: the batches that accumulate to one see the same negatives and, BatchNorm aside,
    make the step of one large batch. BatchNorm's statistics are each device's.

    Generated views are queries too (A2): they attract queries and keys, and no queue holds them.

    Args:
        temperature: Of InfoNCE.
        momentum: Of the copy; the paper's 0.999 suits hundreds of thousands of steps.
        queue: Keys to remember (paper: 65536); of fewer samples than that, it holds some of each sample's own.
    """

    def __init__(self, *args: Any, temperature: float = 0.2, momentum: float = MOMENTUM, queue: int = QUEUE):
        super().__init__(*args)
        require_momentum(momentum)
        self.temperature, self.momentum = temperature, momentum
        self.projector = self.head()
        self.target = frozen_copy(self.online)
        self.queue = Memory(queue, self.recipe.projector_dim, self.recipe.seed)

    def head(self) -> nn.Sequential:
        """A new projector."""
        return projector(self.encoder.num_features, out_features=self.recipe.projector_dim)

    @property
    def online(self) -> nn.Sequential:
        return nn.Sequential(self.encoder, self.projector)

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        queries, keys = self.queries_and_keys(views, seeds)
        self.queue.remember(keys)
        contrast = queue_info_nce(queries, keys, self.queue.keys, self.temperature)
        return contrast + self.attraction(queries, keys, views)

    def queries_and_keys(self, views: Pair, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Queries of the first views and keys of the second, (B, D) each; no gradient flows into the keys."""
        return self.online(views.first), self.keys(views.second, seeds)

    @torch.no_grad()
    def keys(self, images: Tensor, seeds: Tensor) -> Tensor:
        """Keys (B, D) of this device's images, each encoded by a random device, lest BatchNorm give them away (section 3.3)."""
        order = uniform(gather(derive(seeds, 3)), 1)[:, 0].argsort()
        mine = slice(self.global_rank * len(images), (self.global_rank + 1) * len(images))
        shuffled = self.target(gather(images)[order[mine]])
        return gather(shuffled)[order.argsort()[mine]]

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        follow(self.target, self.online, self.momentum)
        self.queue.advance()
