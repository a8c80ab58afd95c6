"""DisCo's losses (Ren et al. 2022): one pair at a time, in the precision of what is given."""

import math

import torch
from torch import Tensor


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-x))


def contrast(
    queries: Tensor, positives: Tensor, negatives: Tensor, temperature: float, threshold: float | None, form: str
) -> Tensor:
    """Eq. 5 and 7 ("paper"), the authors' code, or appendix F ("infonce")."""
    total = torch.zeros((), dtype=queries.dtype)
    for query in queries:
        a = [torch.dot(query, key) / temperature for key in positives]
        b = [torch.dot(query, key) / temperature for key in negatives]
        if form == "infonce":
            everything = sum(torch.exp(x) for x in a + b)
            total = total - sum(torch.log(torch.exp(x) / everything) for x in a) / len(a)
            continue
        for x in a:
            total = total - torch.log(sigmoid(x))
        for x in b:
            label = x.item() if threshold is not None and x > threshold else 0.0
            total = total - label * torch.log(sigmoid(x))
            if label == 0 or form == "code":
                total = total - (1 - label) * torch.log(1 - sigmoid(x))
    return total / (len(queries) * (len(positives) + len(negatives)) if form == "code" else len(queries))


def entropy(queries: Tensor, positives: Tensor, form: str) -> Tensor:
    """Eq. 6, or the authors' code."""

    def softmax(row: Tensor) -> list[Tensor]:
        powers = [math.e**x for x in row]
        return [power / sum(powers) for power in powers]

    if form == "code":
        return torch.stack([-sum(p * torch.log(p + 1e-5) for p in softmax(row)) for row in queries]).mean()
    mean = sum([*queries, *positives]) / (len(queries) + len(positives))
    return -sum(p * torch.log(p) for p in softmax(mean)) / len(mean)
