"""k nearest neighbours: how much of the classes the neighbourhoods of frozen features hold."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import DataError, require_positive
from .classification import Classification, Labelled, check_labelled, classify


def nearest(keys: Tensor, queries: Tensor, k: int, chunk: int = 1 << 25) -> tuple[Tensor, Tensor]:
    """The k keys (N, D) of largest cosine similarity to each of the queries (M, D), the nearest first.

    Returns:
        The similarities float32 (M, k) and the indices int64 (M, k).

    Raises:
        DataError: If there are fewer than k keys.
        OptionError: If k is not positive.
    """
    require_positive(k=k)
    if k > len(keys):
        raise DataError(f"{k} neighbours were asked for among {len(keys)} samples; take a smaller k")
    keys, queries = F.normalize(keys, dim=1), F.normalize(queries, dim=1)
    found = [(some @ keys.T).topk(k) for some in queries.split(max(1, chunk // len(keys)))]
    return torch.cat([similarity for similarity, _ in found]), torch.cat([indices for _, indices in found])


def knn(train: Labelled, test: Labelled, k: int = 5, temperature: float | None = None, chunk: int = 1 << 25) -> Classification:
    """Classifies by the k nearest training samples in cosine similarity s.

    Without a temperature each neighbour has one vote, and a tie goes to the class whose voters have the larger sum of s. With
    one, a vote weighs exp(s / temperature) (Wu et al. 2018, section 3.4; they take k = 200 and 0.07). A class without a vote
    is not among the five best.

    Args:
        train: Features float32 (N, D) and labels int64 (N,).
        test: Features float32 (M, D) and labels int64 (M,).
        k: Neighbours, at most N.
        temperature: Above 0, or None for the plain vote.
        chunk: Similarities held at once, four bytes each.

    Returns:
        The test accuracy; its settings are `k` and `temperature`.

    Raises:
        DataError: If features or labels cannot be probed (see `classification.check_labelled`), or k exceeds N.
        OptionError: If k or the temperature is not positive.
    """
    check_labelled(train, test)
    (keys, key_labels), (queries, labels) = train, test
    require_positive(k=k, temperature=temperature)
    similarity, neighbours = nearest(keys, queries, k, chunk)
    similarity = similarity.double()
    weight = 1 + (1 + similarity) / (2 * k + 2)  # one vote, and so little more that it decides ties alone
    if temperature is not None:
        weight = ((similarity - similarity[:, :1]) / temperature).exp()
    scores = torch.zeros(len(queries), int(key_labels.max()) + 1, dtype=torch.float64, device=queries.device)
    scores.scatter_add_(1, key_labels[neighbours], weight)
    return classify(scores.masked_fill(scores == 0, -math.inf), labels, k=k, temperature=temperature)
