"""SimSiam (Chen & He 2021): one view predicts the other; that no gradient flows into the other is what prevents collapse."""

from typing import Any

from torch import Tensor, nn

from ..encoders import projector
from ..errors import require_positive
from ..losses import negative_cosine
from ..views.sources import Pair
from .method import Method


class SimSiam(Method):
    """Minimises the negative cosine between predictions and embeddings of both views (eqs. 3 and 4), without negatives or a copy.

    The predictor's learning rate falls with the others'; the authors' released recipe keeps it fixed. BatchNorm's statistics are
    each device's. Generated views and the two predict each other in the same way (A2).

    Args:
        bottleneck: Width of the predictor's hidden layer (paper: 512 of an embedding of 2048).
    """

    def __init__(self, *args: Any, bottleneck: int = 32):
        super().__init__(*args)
        require_positive(bottleneck=bottleneck)
        dim = self.recipe.projector_dim
        self.projector = projector(self.encoder.num_features, out_features=dim, layers=3, norm=True)
        self.projector.append(nn.BatchNorm1d(dim, affine=False))
        self.predictor = projector(dim, bottleneck, dim, norm=True)

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        z1, z2 = self.embed(views.first), self.embed(views.second)
        return self.distance(z1, z2) + self.attraction(z1, z2, views)

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Equation 4."""
        return (negative_cosine(self.predictor(first), second) + negative_cosine(self.predictor(second), first)) / 2
