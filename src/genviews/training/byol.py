"""BYOL (Grill et al. 2020): one view predicts what a slowly moving copy of the encoder makes of the other."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..encoders import projector
from ..errors import require_positive
from ..losses import negative_cosine
from ..views.sources import Pair
from .method import Method
from .momentum import follow, frozen_copy, require_momentum


class BYOL(Method):
    """Minimises the squared distance between l2-normalised predictions and targets, of both views (eq. 2), without negatives.

    The copy moves once an optimiser step. BatchNorm's statistics are each device's. Generated views and the two predict each
    other in the same way (A2).

    Args:
        momentum: Of the copy at first; it grows to 1 along a cosine (paper: 0.99 or, for long runs, 0.996).
        hidden: Width of projector and predictor (paper: 4096).
    """

    def __init__(self, *args: Any, momentum: float = 0.99, hidden: int = 512):
        super().__init__(*args)
        require_momentum(momentum)
        require_positive(hidden=hidden)
        self.momentum, dim = momentum, self.recipe.projector_dim
        self.projector = projector(self.encoder.num_features, hidden, dim, norm=True)
        self.predictor = projector(dim, hidden, dim, norm=True)
        self.target = frozen_copy(self.online)

    @property
    def online(self) -> nn.Sequential:
        return nn.Sequential(self.encoder, self.projector)

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        first, second = self.embed(views.first), self.embed(views.second)
        return self.distance(first, second) + self.attraction(first, second, views)

    def embed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Predictions and targets (B, D); no gradient flows into the targets."""
        with torch.no_grad():
            targets = self.target(images)
        return self.predictor(self.online(images)), targets

    def distance(self, first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> Tensor:
        """Equation 2, both ways."""
        (p1, z1), (p2, z2) = first, second
        return (2 + 2 * negative_cosine(p1, z2)) + (2 + 2 * negative_cosine(p2, z1))

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        remaining = (1 + math.cos(math.pi * self.global_step / self.recipe.steps)) / 2
        follow(self.target, self.online, 1 - (1 - self.momentum) * remaining)
