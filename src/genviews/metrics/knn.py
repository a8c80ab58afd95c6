"""k nearest neighbours: how much of the classes the neighbourhoods of frozen features hold."""

import math

import torch
from torch.nn import functional as F

from ..errors import DataError, OptionError
from .classification import Classification, Labelled, check_labelled, classify


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
    if k < 1 or (temperature is not None and temperature <= 0):
        raise OptionError(f"k is {k} and temperature {temperature}; both must be positive")
    if k > len(keys):
        raise DataError(f"{k} neighbours were asked for and train has {len(keys)} samples; take a smaller k")
    keys, queries = F.normalize(keys, dim=1), F.normalize(queries, dim=1)
    scores = torch.zeros(len(queries), int(key_labels.max()) + 1, dtype=torch.float64, device=queries.device)
    rows = max(1, chunk // len(keys))
    for votes, some in zip(scores.split(rows), queries.split(rows), strict=True):
        similarity, nearest = (some @ keys.T).topk(k)
        similarity = similarity.double()
        if temperature is None:
            weight = 1 + (1 + similarity) / (2 * k + 2)  # one vote, and so little more that it decides ties alone
        else:
            weight = ((similarity - similarity[:, :1]) / temperature).exp()
        votes.scatter_add_(1, key_labels[nearest], weight)
    return classify(scores.masked_fill(scores == 0, -math.inf), labels, k=k, temperature=temperature)
