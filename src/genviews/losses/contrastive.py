"""Contrastive losses: embeddings -> scalar. Float32 inside autocast; embeddings are l2-normalised here, once."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import OptionError, ShapeError


def _logits(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    with torch.autocast(first.device.type, enabled=False):
        return F.normalize(first.float(), dim=1) @ F.normalize(second.float(), dim=1).T / temperature


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
    if first.shape != second.shape or first.ndim != 2:
        raise ShapeError(f"info_nce takes two (B, D) tensors of one shape, got {tuple(first.shape)} and {tuple(second.shape)}")
    if len(first) < 2:
        raise ShapeError("info_nce got a batch of 1, which has no negatives; use a batch size of at least 2")
    if temperature <= 0:
        raise OptionError(f"temperature is {temperature}; it must be positive")
    if negatives not in ("both", "cross"):
        raise OptionError(f"negatives is {negatives!r}; choose 'both' or 'cross'")
    batch = torch.arange(len(first), device=first.device)
    if negatives == "cross":
        logits = _logits(first, second, temperature)
        forward = F.cross_entropy(logits, batch)
        return (forward + F.cross_entropy(logits.T, batch)) / 2 if symmetric else forward
    both = torch.cat([first, second])
    anchors = both if symmetric else first
    itself = torch.eye(len(anchors), len(both), dtype=torch.bool, device=both.device)
    logits = _logits(anchors, both, temperature).masked_fill(itself, -torch.inf)
    return F.cross_entropy(logits, torch.cat([batch + len(first), batch])[: len(anchors)])
