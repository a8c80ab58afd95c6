"""Plain versions of the disentanglement metrics: loops over dimensions and factors, scikit-learn's trees."""

import math
from collections import Counter

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier


def binned(column: np.ndarray, bins: int) -> list[int]:
    low, width = float(column.min()), (float(column.max()) - float(column.min())) / bins
    return [sum(float(value) >= low + b * width for b in range(1, bins)) for value in column]


def mutual_information(a: list[int], b: list[int]) -> float:
    n, first, second, joint = len(a), Counter(a), Counter(b), Counter(zip(a, b, strict=True))
    return sum(count / n * math.log(count * n / (first[i] * second[j])) for (i, j), count in joint.items())


def information_matrix(codes: np.ndarray, factors: np.ndarray, bins: int) -> np.ndarray:
    return np.array([[mutual_information(binned(c, bins), f.tolist()) for f in factors.T] for c in codes.T])


def mig(codes: np.ndarray, factors: np.ndarray, bins: int = 20) -> float:
    gaps = []
    for column, factor in zip(information_matrix(codes, factors, bins).T, factors.T, strict=True):
        *_, second, best = sorted(column)
        gaps.append((best - second) / mutual_information(factor.tolist(), factor.tolist()))
    return sum(gaps) / len(gaps)


def modularity(codes: np.ndarray, factors: np.ndarray, bins: int = 20) -> float:
    scores = []
    for row in information_matrix(codes, factors, bins) ** 2:
        best = row.argmax()
        rest = sum(value for factor, value in enumerate(row) if factor != best)
        scores.append(1 - rest / (row[best] * (len(row) - 1)) if row[best] else 0.0)
    return sum(scores) / len(scores)


def gradient_boosting(codes: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, list[GradientBoostingClassifier]]:
    """The importances (D, F) and the models, as the reference library fits them: one factor after the other."""
    models = [GradientBoostingClassifier(random_state=0).fit(codes, factor) for factor in factors.T]
    return np.stack([model.feature_importances_ for model in models], 1), models


def concentration(importance: np.ndarray) -> float:
    """One minus each row's normalised entropy, weighted by the rows' sums."""
    total = 0.0
    for row in importance:
        shares = [value / row.sum() for value in row if value > 0]
        entropy = -sum(share * math.log(share) for share in shares) / math.log(len(row))
        total += (1 - entropy) * row.sum() / importance.sum()
    return total


def factor_vae_votes(batches: np.ndarray, fixed: np.ndarray, overall: np.ndarray, factors: int) -> np.ndarray:
    """How often each dimension varied least when each factor was shared, (F, D)."""
    votes = np.zeros((factors, batches.shape[2]), dtype=np.int64)
    for batch, factor in zip(batches, fixed, strict=True):
        votes[factor, min(range(batch.shape[1]), key=lambda d: np.var(batch[:, d], ddof=1) / overall[d])] += 1
    return votes
