"""Naive probes: loops over samples, neighbours and batches, torch's own optimiser and autograd."""

import math
from collections import Counter

import torch
from torch import Tensor, nn


def logistic_loss(weights: Tensor, features: Tensor, labels: Tensor, l2: float) -> Tensor:
    """The penalised loss of weights (C, D + 1), a sample at a time."""
    total = torch.zeros((), dtype=weights.dtype)
    for x, y in zip(features, labels.tolist(), strict=True):
        scores = weights[:, :-1] @ x + weights[:, -1]
        total = total + torch.log(scores.exp().sum()) - scores[y]
    return total / len(labels) + l2 / 2 * (weights[:, :-1] ** 2).sum()


def knn_predictions(train: tuple[Tensor, Tensor], queries: Tensor, k: int, temperature: float | None = None) -> list[list[int]]:
    """The classes that got votes, best first, for each query."""
    predictions = []
    for query in queries:
        neighbours = []
        for key, label in zip(*train, strict=True):
            similarity = float(query @ key) / (math.sqrt(float(query @ query)) * math.sqrt(float(key @ key)))
            neighbours.append((similarity, int(label)))
        votes: Counter[int] = Counter()
        closeness: Counter[int] = Counter()
        for similarity, label in sorted(neighbours, reverse=True)[:k]:
            votes[label] += 1 if temperature is None else math.exp(similarity / temperature)
            closeness[label] += similarity
        predictions.append(sorted(votes, key=lambda c: (votes[c], closeness[c]), reverse=True))
    return predictions


def sgd_classifier(features: Tensor, labels: Tensor, lr: float, batches: list[Tensor]) -> nn.Linear:
    """torch's SGD and cosine schedule over the given batches of indices."""
    model = nn.Linear(features.shape[1], int(labels.max()) + 1)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    optimiser = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, len(batches))
    for batch in batches:
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(features[batch]), labels[batch]).backward()
        optimiser.step()
        schedule.step()
    return model
