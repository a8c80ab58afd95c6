"""t-MoCo: MoCo v2 with distances under a Student t kernel instead of angles."""

from typing import Any

from torch import Tensor, nn

from ..losses import student_t_distance, student_t_queue
from ..views.sources import Pair
from .moco import MOMENTUM, QUEUE, MoCo


class TMoCo(MoCo):
    """Minimises InfoNCE under a Student t kernel, of embeddings that BatchNorm without weights, not their length, normalises.

    Args:
        temperature: Of the kernel.
        df: Its degrees of freedom.
        momentum: As in `MoCo`.
        queue: As in `MoCo`.
    """

    def __init__(self, *args: Any, temperature: float = 5.0, df: float = 10.0, momentum: float = MOMENTUM, queue: int = QUEUE):
        super().__init__(*args, temperature=temperature, momentum=momentum, queue=queue)
        self.df = df

    def head(self) -> nn.Sequential:
        return super().head().append(nn.BatchNorm1d(self.recipe.projector_dim, affine=False))

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        queries, keys = self.queries_and_keys(views, seeds)
        self.queue.remember(keys)
        contrast = student_t_queue(queries, keys, self.queue.keys, self.temperature, self.df)
        return contrast + self.attraction(queries, keys, views)

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        return student_t_distance(first, second, self.temperature, self.df)
