"""Naive losses: one pair at a time, in float64."""

import math

import torch
from torch import Tensor


def info_nce(first: Tensor, second: Tensor, temperature: float, negatives: str, symmetric: bool) -> Tensor:
    """The mean over anchors of -log(exp(s+ / t) / sum over candidates of exp(s / t)), by double loop."""

    def similarity(a: Tensor, b: Tensor) -> Tensor:
        return torch.dot(a, b) / (a.norm() * b.norm())

    count, losses = len(first), []
    for i in range(count):
        for anchors, others in ((first, second), (second, first)) if symmetric else ((first, second),):
            candidates = [others[j] for j in range(count)]
            if negatives == "both":
                candidates += [anchors[j] for j in range(count) if j != i]
            positive = math.e ** (similarity(anchors[i], others[i]) / temperature)
            losses.append(-torch.log(positive / sum(math.e ** (similarity(anchors[i], c) / temperature) for c in candidates)))
    return torch.stack(losses).mean()
