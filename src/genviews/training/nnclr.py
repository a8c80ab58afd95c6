"""NNCLR (Dwibedi et al. 2021): the nearest neighbour of one view in a queue is the positive of the other."""

from typing import Any

from torch import Tensor, nn

from ..encoders import projector
from ..errors import require_positive
from ..losses import gather, info_nce, nearest_neighbours
from ..views.sources import Pair
from .memory import Memory
from .method import Method


class NNCLR(Method):
    """Minimises InfoNCE between nearest neighbours in a queue of earlier embeddings and predictions of the other view.

    The queue moves once an optimiser step. Negatives are the global batch's; BatchNorm's statistics are each device's. Generated
    views (A2) are predicted from the neighbours of both views.

    Args:
        temperature: Of InfoNCE.
        queue: Embeddings to remember (paper: 98304).
        hidden: Width of projector and predictor (paper: 2048 and 4096).
    """

    def __init__(self, *args: Any, temperature: float = 0.1, queue: int = 4096, hidden: int = 512):
        super().__init__(*args)
        require_positive(hidden=hidden)
        self.temperature, dim = temperature, self.recipe.projector_dim
        self.projector = projector(self.encoder.num_features, hidden, dim, layers=3, norm=True).append(nn.BatchNorm1d(dim))
        self.predictor = projector(dim, hidden, dim, norm=True)
        self.queue = Memory(queue, dim, self.recipe.seed)

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        z1, z2 = self.embed(views.first), self.embed(views.second)
        self.queue.remember(z1)
        return (self.contrast(z1, z2) + self.contrast(z2, z1)) / 2 + self.attraction(z1, z2, views)

    def contrast(self, anchors: Tensor, positives: Tensor) -> Tensor:
        """Equations 3 and 4, averaged."""
        neighbours = nearest_neighbours(anchors, self.queue.keys)
        return info_nce(gather(neighbours), gather(self.predictor(positives)), self.temperature, "cross")

    def distance(self, anchors: Tensor, positives: Tensor) -> Tensor:
        return super().distance(nearest_neighbours(anchors, self.queue.keys), self.predictor(positives))

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        self.queue.advance()
