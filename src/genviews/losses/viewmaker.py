"""What an encoder minimises and a ViewMaker maximises."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import require_positive
from .similarity import inner_products, require_pairs


def viewmaker_loss(first: Tensor, second: Tensor, temperature: float = 0.07) -> Tensor:
    """InfoNCE as ViewMaker's released code has it (Tamkin et al. 2021): -log(exp(s+ / t) / mean_k exp(s_k / t)).

    The anchors are the first views; the candidates of each are all 2B embeddings, itself among them. So the loss is NT-Xent's
    (`info_nce`) of one view, but for the constant exp(1 / t) in the denominator and log 2B outside, and may be negative.

    Args:
        first: (B, D), any scale.
        second: (B, D), the positives, row by row.
        temperature: t > 0.

    Returns:
        The mean over the B anchors, float32 scalar, in nats; the ViewMaker's loss is minus that.

    Raises:
        ShapeError: If the shapes differ.
        OptionError: If `temperature` is not positive.
    """
    require_pairs("viewmaker_loss", first, second)
    require_positive(temperature=temperature)
    first, second = F.normalize(first.float(), dim=1), F.normalize(second.float(), dim=1)
    candidates = inner_products(first / temperature, torch.cat([first, second])).logsumexp(1)
    return (candidates - (first * second).sum(1) / temperature).mean() - math.log(2 * len(first))
