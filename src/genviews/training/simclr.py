"""SimCLR (Chen et al. 2020): the two views of a sample attract, all others repel."""

from typing import Any, Literal

import torch
from torch import Tensor

from ..encoders import projector
from ..losses import gather, info_nce
from ..views.sources import Pair
from .method import Method


class SimCLR(Method):
    """Minimises InfoNCE between the embeddings of the two views.

    Args:
        temperature: Of InfoNCE.
        negatives: "both" (the paper's 2N - 2 of both views) or "cross" (the N - 1 of the other view).
    """

    def __init__(self, *args: Any, temperature: float = 0.2, negatives: Literal["both", "cross"] = "both"):
        super().__init__(*args)
        self.temperature, self.negatives = temperature, negatives
        self.projector = projector(self.encoder.num_features, out_features=self.recipe.projector_dim)

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        first, second = self.projector(self.encoder(torch.cat(views[:2]))).chunk(2)
        return info_nce(gather(first), gather(second), self.temperature, self.negatives)
