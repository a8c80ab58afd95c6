"""Contrastive losses: embeddings -> scalar. Float32 inside autocast; embeddings are l2-normalised here, once."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import OptionError, ShapeError, require_positive
from .similarity import inner_products, require_pairs


def info_nce(
    first: Tensor,
    second: Tensor,
    temperature: float = 0.1,
    negatives: Literal["both", "cross"] = "both",
    symmetric: bool = True,
) -> Tensor:
    """InfoNCE between two views of the same B samples.

    With "both" (NT-Xent, SimCLR eq. 1), each of the 2B embeddings looks for its positive among all the 2B - 1 others:
    -log exp(s_ij / t) / sum_{k != i} exp(s_ik / t). With "cross" (CPC; COP-Gen's supplement, eq. 1), each embedding of one view
    looks among the B of the other view, both ways, and the two are averaged.

    Args:
        first: (B, D), any scale.
        second: (B, D), the positives, row by row.
        temperature: t > 0.
        negatives: "both" or "cross".
        symmetric: Average over the anchors of both views; False takes `first` alone as anchors (COP-Gen's paper, eq. 3).

    Returns:
        The mean over the 2B (or B) anchors, float32 scalar, in nats.

    Raises:
        ShapeError: If the shapes differ or B is 1, which leaves no negative.
        OptionError: If `negatives` or `temperature` is none of these.
    """
    require_pairs("info_nce", first, second)
    if len(first) < 2:
        raise ShapeError("info_nce got a batch of 1, which has no negatives; use a batch size of at least 2")
    require_positive(temperature=temperature)
    if negatives not in ("both", "cross"):
        raise OptionError(f"negatives is {negatives!r}; choose 'both' or 'cross'")
    first, second = F.normalize(first.float(), dim=1), F.normalize(second.float(), dim=1)
    across = inner_products(first / temperature, second)
    sides = [(first, across), (second, across.T)] if symmetric else [(first, across)]
    candidates = torch.stack([_log_sum_exp(logits) for _, logits in sides])
    if negatives == "both":
        candidates = torch.logaddexp(candidates, torch.stack([_among_themselves(anchors, temperature) for anchors, _ in sides]))
    return (candidates - across.diagonal()).mean()


def _among_themselves(anchors: Tensor, temperature: float) -> Tensor:
    logits = inner_products(anchors / temperature, anchors)
    logits.detach().fill_diagonal_(-torch.inf)  # so that its gradient is 0
    return _log_sum_exp(logits)


def _log_sum_exp(logits: Tensor) -> Tensor:
    """torch's over the rows, but its backward keeps the exponentials instead of taking them again."""
    largest = logits.detach().amax(1, keepdim=True)
    return (logits - largest).exp_().sum(1).log() + largest[:, 0]
