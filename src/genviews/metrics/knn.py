"""k nearest neighbours: how much of the classes the neighbourhoods of frozen features hold."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import DataError, require_positive
from .classification import Classification, Labelled, check_labelled, classify


def nearest(keys: Tensor, queries: Tensor, k: int, chunk: tuple[int, int] = (2048, 2048)) -> tuple[Tensor, Tensor]:
    """The k keys (N, D) of largest cosine similarity to each of the queries (M, D), the nearest first.

    Args:
        keys: float32 (N, D).
        queries: float32 (M, D).
        k: At most N.
        chunk: Queries and keys compared at once; so few that their similarities stay in a CPU's cache.

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
    rows, columns = chunk

    def search(some: Tensor) -> tuple[Tensor, Tensor]:
        best = [(some @ block.T).topk(min(k, len(block))) for block in keys.split(columns)]
        similarity, places = torch.cat([values for values, _ in best], 1).topk(k)
        return similarity, torch.cat([own + columns * block for block, (_, own) in enumerate(best)], 1).gather(1, places)

    similarities, indices = zip(*map(search, queries.split(rows)), strict=True)
    return torch.cat(similarities), torch.cat(indices)


def knn(train: Labelled, test: Labelled, k: int = 5, temperature: float | None = None) -> Classification:
    """Classifies by the k nearest training samples in cosine similarity s.

    Without a temperature each neighbour has one vote, and a tie goes to the class whose voters have the larger sum of s. With
    one, a vote weighs exp(s / temperature) (Wu et al. 2018, section 3.4; they take k = 200 and 0.07). A class without a vote
    is not among the five best.

    Args:
        train: Features float32 (N, D) and labels int64 (N,).
        test: Features float32 (M, D) and labels int64 (M,).
        k: Neighbours, at most N.
        temperature: Above 0, or None for the plain vote.

    Returns:
        The test accuracy; its settings are `k` and `temperature`.

    Raises:
        DataError: If features or labels cannot be probed (see `classification.check_labelled`), or k exceeds N.
        OptionError: If k or the temperature is not positive.
    """
    check_labelled(train, test)
    (keys, key_labels), (queries, labels) = train, test
    require_positive(k=k, temperature=temperature)
    similarity, neighbours = nearest(keys, queries, k)
    similarity = similarity.double()
    weight = 1 + (1 + similarity) / (2 * k + 2)  # one vote, and so little more that it decides ties alone
    if temperature is not None:
        weight = ((similarity - similarity[:, :1]) / temperature).exp()
    scores = torch.zeros(len(queries), int(key_labels.max()) + 1, dtype=torch.float64, device=queries.device)
    scores.scatter_add_(1, key_labels[neighbours], weight)
    return classify(scores.masked_fill(scores == 0, -math.inf), labels, k=k, temperature=temperature)
