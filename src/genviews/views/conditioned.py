"""Real images whose labels are conditions: what conditional GANs learn from."""

import torch.nn.functional as F
from torch import Tensor

from ..data import Images
from ..errors import DataError, ShapeError
from ..metrics import nearest
from .sources import RealViews


class ClassViews(RealViews):
    """Real images under their classes.

    Raises:
        DataError: If an image has no label.
    """

    def __init__(self, images: Images):
        super().__init__(images)
        if images.labels.min() < 0:
            raise DataError("there are images without a label, which is their condition here; train another family on them")
        self.conditions = int(images.labels.max()) + 1


class InstanceViews(RealViews):
    """Real images, each with an instance in whose neighbourhood it lies (Casanova et al. 2021, section 3).

    Sample n * k + j is image n's j-th nearest neighbour, itself one of them, under the condition n.

    Args:
        images: N images, which are the instances too.
        features: Theirs, float32 (N, F), l2-normalised here; neighbours are near by cosine.
        neighbours: k.

    Raises:
        ShapeError: If the features are not (N, F).
        DataError: If there are fewer than k images.
    """

    conditions: Tensor

    def __init__(self, images: Images, features: Tensor, neighbours: int):
        super().__init__(images)
        if features.ndim != 2 or len(features) != len(images):
            raise ShapeError(f"features are {tuple(features.shape)} for {len(images)} images; give (N, F), a row an image")
        self.conditions = F.normalize(features)
        self.neighbours = nearest(features, features, neighbours)[1]

    def __len__(self) -> int:
        return self.neighbours.numel()

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        instances, ranks = indices // self.neighbours.shape[1], indices % self.neighbours.shape[1]
        return self.images[self.neighbours[instances, ranks]][0], instances
