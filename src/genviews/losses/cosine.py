"""The loss of methods without negatives."""

import torch.nn.functional as F
from torch import Tensor

from .similarity import require_pairs


def negative_cosine(predictions: Tensor, targets: Tensor) -> Tensor:
    """-cos(p, stopgrad(z)), the mean over the batch (SimSiam, Chen & He 2021, eqs. 1 and 3).

    BYOL's squared distance of l2-normalised vectors (Grill et al. 2020, eq. 2) is 2 + 2 times that.

    Args:
        predictions: p, (B, D), any scale.
        targets: z, (B, D), row by row; no gradient flows into them.

    Returns:
        float32 scalar in [-1, 1].

    Raises:
        ShapeError: If the shapes differ.
    """
    require_pairs("negative_cosine", predictions, targets)
    return -F.cosine_similarity(predictions.float(), targets.detach().float(), dim=1).mean()
