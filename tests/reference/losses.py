"""Naive losses: one pair at a time, in float64."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Kernel = Callable[[Tensor, Tensor], Tensor]
"""How near two vectors are, a positive scalar."""


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a, b) / (a.norm() * b.norm())


def exponential(temperature: float, similarity: Kernel = cosine) -> Kernel:
    return lambda a, b: math.e ** (similarity(a, b) / temperature)


def student_t(temperature: float, df: float) -> Kernel:
    return lambda a, b: (1 + sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / (temperature * df)) ** (-(df + 1) / 2)


def info_nce(first: Tensor, second: Tensor, temperature: float, negatives: str, symmetric: bool) -> Tensor:
    """The mean over anchors of -log(exp(s+ / t) / sum over candidates of exp(s / t)), by double loop."""
    count, losses, kernel = len(first), [], exponential(temperature)
    for i in range(count):
        for anchors, others in ((first, second), (second, first)) if symmetric else ((first, second),):
            candidates = [others[j] for j in range(count)]
            if negatives == "both":
                candidates += [anchors[j] for j in range(count) if j != i]
            losses.append(-torch.log(kernel(anchors[i], others[i]) / sum(kernel(anchors[i], c) for c in candidates)))
    return torch.stack(losses).mean()


def supervised_contrastive(embeddings: Tensor, positive: list[list[bool]], temperature: float, symmetric: bool) -> Tensor:
    """Khosla et al. 2020, eq. 2; `positive[i][j]` says whether the views of sample j are positives of those of i."""
    losses, kernel = [], exponential(temperature)
    indices = [(i, v) for i in range(embeddings.shape[0]) for v in range(embeddings.shape[1])]
    for i, v in indices:
        if v and not symmetric:
            continue
        others = [index for index in indices if index != (i, v)]
        total = sum(kernel(embeddings[i, v], embeddings[j, w]) for j, w in others)
        found = [-torch.log(kernel(embeddings[i, v], embeddings[j, w]) / total) for j, w in others if positive[i][j]]
        losses.append(torch.stack(found).mean() if found else embeddings.sum() * 0)
    return torch.stack(losses).mean()


def per_query(queries: Tensor, keys: Tensor, queue: Tensor, kernel: Kernel) -> Tensor:
    """The mean over queries of -log of the key's share among the key and the queue."""
    losses = [
        -torch.log(kernel(q, k) / (kernel(q, k) + sum(kernel(q, n) for n in queue))) for q, k in zip(queries, keys, strict=True)
    ]
    return torch.stack(losses).mean()


def joint(first: Tensor, second: Tensor, kernel: Kernel) -> Tensor:
    """KL(P || Q) + H(P) of pairs: P uniform on the ordered positive pairs, Q in proportion to the kernel of all ordered pairs."""
    both = [*first, *second]
    total = sum(kernel(a, b) for i, a in enumerate(both) for j, b in enumerate(both) if i != j)
    positives = [(a, b) for a, b in zip(first, second, strict=True)] + [(b, a) for a, b in zip(first, second, strict=True)]
    return torch.stack([-torch.log(kernel(a, b) / total) for a, b in positives]).mean()


def negative_cosine(predictions: Tensor, targets: Tensor) -> Tensor:
    return -torch.stack([cosine(p, z.detach()) for p, z in zip(predictions, targets, strict=True)]).mean()


@torch.no_grad()
def nearest_neighbours(embeddings: Tensor, support: Tensor) -> Tensor:
    """NNCLR's neighbours, by distance."""
    unit = [q / q.norm() for q in support]
    distances = [torch.stack([(z / z.norm() - q).norm() for q in unit]) for z in embeddings]
    return torch.stack([unit[int(row.argmin())] for row in distances])


def nnclr(first: Tensor, second: Tensor, support: Tensor, temperature: float) -> Tensor:
    """NNCLR: the share of each pair (neighbour, other view) among those of the neighbour, and among those of the other view."""
    losses, kernel = [], exponential(temperature)
    for anchors, others in ((first, second), (second, first)):
        near = nearest_neighbours(anchors, support)
        for i in range(len(near)):
            found = kernel(near[i], others[i])
            losses.append(-torch.log(found / sum(kernel(near[i], other) for other in others)))
            losses.append(-torch.log(found / sum(kernel(n, others[i]) for n in near)))
    return torch.stack(losses).mean()


def multiview(first: Tensor, second: Tensor, generated: Tensor, temperature: float, alpha: float, form: str) -> Tensor:
    """A2: InfoNCE of two views less what draws generated ones to both, or all of them as views of one class each."""
    count, views = generated.shape[:2]
    if form == "full":
        itself = [[i == j for j in range(count)] for i in range(count)]
        return supervised_contrastive(torch.cat([first[:, None], second[:, None], generated], 1), itself, temperature, True)
    drawn = [cosine(z[i], generated[i, k]) for i in range(count) for k in range(views) for z in (first, second)]
    contrast = info_nce(first, second, temperature, "cross" if form == "infonce" else "both", True)
    return contrast - alpha / temperature * torch.stack(drawn).mean()


def viewmaker(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """The share of the positive in the mean over all embeddings of both views, the anchor itself among them."""
    kernel, both = exponential(temperature), [*first, *second]
    shares = [kernel(a, p) / (sum(kernel(a, c) for c in both) / len(both)) for a, p in zip(first, second, strict=True)]
    return -torch.stack(shares).log().mean()
