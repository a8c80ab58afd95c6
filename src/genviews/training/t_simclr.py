"""t-SimCLR: SimCLR as t-SNE has it, between distances instead of angles."""

from typing import Any

import torch
from torch import Tensor

from ..encoders import projector
from ..losses import gather, student_t_distance, student_t_info_nce
from ..views.sources import Pair
from .method import Method


class TSimCLR(Method):
    """Minimises InfoNCE under a Student t kernel of the distances between the embeddings, which are not normalised.

    Args:
        temperature: Of the kernel.
        df: Its degrees of freedom.
    """

    def __init__(self, *args: Any, temperature: float = 8.0, df: float = 5.0):
        super().__init__(*args)
        self.temperature, self.df = temperature, df
        self.projector = projector(self.encoder.num_features, out_features=self.recipe.projector_dim)

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        first, second = self.projector(self.encoder(torch.cat(views[:2]))).chunk(2)
        contrast = student_t_info_nce(gather(first), gather(second), self.temperature, self.df)
        return contrast + self.attraction(first, second, views)

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        return student_t_distance(first, second, self.temperature, self.df)
