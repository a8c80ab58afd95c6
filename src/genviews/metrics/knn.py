"""k nearest neighbours: how much of the classes the neighbourhoods of frozen features hold."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import DataError, OptionError, require_positive
from .classification import Classification, Labelled, check_labelled, classify

Measure = Literal["cosine", "euclidean"]


def nearest(
    keys: Tensor, queries: Tensor, k: int, chunk: tuple[int, int] = (2048, 2048), measure: Measure = "cosine"
) -> tuple[Tensor, Tensor]:
    """The k keys (N, D) of largest similarity to each of the queries (M, D), the nearest first.

    Args:
        keys: float32 (N, D).
        queries: float32 (M, D).
        k: At most N.
        chunk: Queries and keys compared at once; so few that their similarities stay in a CPU's cache.
        measure: Of similarity: the cosine, or "euclidean", the distance with a minus sign, found in float64.

    Returns:
        The similarities float32 (M, k) and the indices int64 (M, k).

    Raises:
        DataError: If there are fewer than k keys.
        OptionError: If k is not positive, or the measure is unknown.
    """
    require_positive(k=k)
    if measure not in get_args(Measure):
        raise OptionError(f"measure is {measure!r}; choose {' or '.join(get_args(Measure))}")
    if k > len(keys):
        raise DataError(f"{k} neighbours were asked for among {len(keys)} samples; take a smaller k")
    if measure == "cosine":
        keys, queries = F.normalize(keys, dim=1), F.normalize(queries, dim=1)
    else:
        keys, queries = keys.double(), queries.double()
    rows, columns = chunk

    def similarity(some: Tensor, block: Tensor) -> Tensor:
        return some @ block.T if measure == "cosine" else -torch.cdist(some, block)

    def search(some: Tensor) -> tuple[Tensor, Tensor]:
        best = [similarity(some, block).topk(min(k, len(block))) for block in keys.split(columns)]
        largest, places = torch.cat([values for values, _ in best], 1).topk(k)
        return largest.float(), torch.cat([own + columns * block for block, (_, own) in enumerate(best)], 1).gather(1, places)

    similarities, indices = zip(*map(search, queries.split(rows)), strict=True)
    return torch.cat(similarities), torch.cat(indices)


def knn(
    train: Labelled, test: Labelled, k: int = 5, temperature: float | None = None, measure: Measure = "cosine"
) -> Classification:
    """Classifies by the k nearest training samples in similarity s.

    Without a temperature each neighbour has one vote, and a tie goes to the class whose voters have the larger sum of s. With
    one, a vote weighs exp(s / temperature) (Wu et al. 2018, section 3.4; they take k = 200 and 0.07). A class without a vote
    is not among the five best.

    Args:
        train: Features float32 (N, D) and labels int64 (N,).
        test: Features float32 (M, D) and labels int64 (M,).
        k: Neighbours, at most N.
        temperature: Above 0, or None for the plain vote.
        measure: s is the "cosine", or minus the "euclidean" distance.

    Returns:
        The test accuracy; its settings are `k`, `temperature` and `measure`.

    Raises:
        DataError: If features or labels cannot be probed (see `classification.check_labelled`), or k exceeds N.
        OptionError: If k or the temperature is not positive, or the measure is unknown.
    """
    check_labelled(train, test)
    (keys, key_labels), (queries, labels) = train, test
    require_positive(k=k, temperature=temperature)
    similarity, neighbours = nearest(keys, queries, k, measure=measure)
    similarity = similarity.double()
    closeness = (1 + similarity) / 2 if measure == "cosine" else 1 / (1 - similarity)  # in [0, 1]
    weight = 1 + closeness / (k + 1)  # one vote, and so little more that it decides ties alone
    if temperature is not None:
        weight = ((similarity - similarity[:, :1]) / temperature).exp()
    scores = torch.zeros(len(queries), int(key_labels.max()) + 1, dtype=torch.float64, device=queries.device)
    scores.scatter_add_(1, key_labels[neighbours], weight)
    return classify(scores.masked_fill(scores == 0, -math.inf), labels, k=k, temperature=temperature, measure=measure)
