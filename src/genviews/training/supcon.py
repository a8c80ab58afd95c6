"""SupCon (Khosla et al. 2020): all views of a class attract, those of other classes repel."""

from typing import Any

import torch
from torch import Tensor

from ..encoders import projector
from ..errors import DataError
from ..losses import gather, supervised_contrastive
from ..views.sources import Pair
from .method import Method


class SupCon(Method):
    """Minimises the supervised contrastive loss; the conditions of generated pairs are labels too.

    Args:
        temperature: Of the loss.

    Raises:
        DataError: In training, if a view has no label.
    """

    def __init__(self, *args: Any, temperature: float = 0.1):
        super().__init__(*args)
        self.temperature = temperature
        self.projector = projector(self.encoder.num_features, out_features=self.recipe.projector_dim)

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        if views.labels is None or (views.labels < 0).any():
            raise DataError("supcon contrasts classes, and there are views without a label; name labelled data or another method")
        first, second = self.projector(self.encoder(torch.cat(views[:2]))).chunk(2)
        embeddings = torch.stack([first, second], dim=1)
        contrast = supervised_contrastive(gather(embeddings), gather(views.labels), self.temperature)
        return contrast + self.attraction(first, second, views)
