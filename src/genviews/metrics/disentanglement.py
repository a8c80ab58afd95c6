"""Disentanglement of codes whose factors are known: MIG, DCI, SAP, modularity.

The definitions are those of disentanglement_lib (Locatello et al. 2019), whose numbers the field compares. Codes are float
(N, D), factors int64 (N, F), whatever integers they are. A constant dimension tells nothing and is important to nothing.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..errors import DataError, OptionError, require_positive
from .boosting import boost

Coded = tuple[Tensor, Tensor]
"""Codes float (N, D) and their factors int64 (N, F)."""

Estimator = Literal["binned", "gradient_boosting"]


@dataclass(frozen=True)
class DCI:
    """Disentanglement, completeness and informativeness, each in [0, 1]; `dataclasses.asdict` makes it JSON.

    Attributes:
        disentanglement: Whether each dimension is important to one factor alone.
        completeness: Whether to each factor one dimension alone is important.
        informativeness: Test accuracy of predicting the factors, their mean.
        informativeness_train: Training accuracy.
        importance: Of each dimension to each factor, (D, F); a factor's sum to 1.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    informativeness_train: float
    importance: list[list[float]]


def mutual_information(codes: Tensor, factors: Tensor, bins: int = 20) -> Tensor:
    """Mutual information of each dimension, in bins of equal width between its extremes, and each factor.

    Args:
        codes: float (N, D).
        factors: int64 (N, F).
        bins: Of each dimension.

    Returns:
        Nats, float64 (D, F).

    Raises:
        DataError: If codes or factors cannot be scored; see `check_coded`.
        OptionError: If `bins` is not positive.
    """
    check_coded(codes, factors)
    require_positive(bins=bins)
    d, x = codes.shape[1], codes.T.double().contiguous()
    low, high = x.aminmax(dim=1, keepdim=True)
    edges = low + (high - low) / bins * torch.arange(bins, device=x.device)
    binned = torch.searchsorted(edges, x, right=True) - 1 + bins * torch.arange(d, device=x.device)[:, None]
    columns = []
    for factor in factors.unbind(1):
        values, labels = factor.unique(return_inverse=True)
        cells = (binned * len(values)).add_(labels).flatten()
        counts = cells.bincount(minlength=d * bins * len(values)).double().view(d, bins, -1)
        expected = counts.sum(2, keepdim=True) * counts.sum(1, keepdim=True) / len(factor)  # were they independent
        columns.append((torch.xlogy(counts, counts) - torch.xlogy(counts, expected)).sum((1, 2)) / len(factor))
    return torch.stack(columns, 1).clamp(min=0)


def mig(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    """The mutual information gap (Chen et al. 2018, eq. 6).

    By how much one dimension knows more of a factor than the next best one, as a fraction of the factor's entropy, averaged over
    the factors.

    Args:
        codes: float (N, D); the field takes N = 10,000.
        factors: int64 (N, F).
        bins: Of equal width, of each dimension.

    Returns:
        In [0, 1].

    Raises:
        DataError, OptionError: As `mutual_information` does.
    """
    best, second = mutual_information(codes, factors, bins).topk(2, dim=0).values
    entropies = torch.stack(
        [_entropy(factor.unique(return_counts=True)[1].double() / len(factor)) for factor in factors.unbind(1)]
    )
    return float(((best - second) / entropies).mean())


def modularity(codes: Tensor, factors: Tensor, bins: int = 20) -> float:
    """Whether each dimension knows of one factor alone (Ridgeway & Mozer 2018, eq. 2): its squared mutual informations' purity.

    Args:
        codes: float (N, D).
        factors: int64 (N, F).
        bins: Of equal width, of each dimension.

    Returns:
        In [0, 1]; a dimension that knows nothing counts as 0.

    Raises:
        DataError, OptionError: As `mutual_information` does.
    """
    squares = mutual_information(codes, factors, bins).square()
    best = squares.amax(1)
    others = (squares.sum(1) - best) / (best * (squares.shape[1] - 1))
    return float(torch.where(best > 0, 1 - others, 0).mean())


def dci(train: Coded, test: Coded, *, estimator: Estimator = "binned") -> DCI:
    """Disentanglement, completeness, informativeness (Eastwood & Williams 2018, section 2).

    Boosted trees predict each factor from the codes: 100 stages of depth 3 at a rate of 0.1, a dimension's importance the
    squared error that its splits remove, as the reference takes them from scikit-learn's GradientBoostingClassifier.

    Args:
        train: Codes (N, D) and factors (N, F); the field takes N = 10,000.
        test: Codes (M, D) and factors (M, F); the field takes M = 5,000.
        estimator: "binned" grows the same trees on codes sorted into bins, see `boosting.boost`, on the codes' device;
            "gradient_boosting" is scikit-learn's own, which takes many minutes at the field's size.

    Raises:
        DataError: If codes or factors cannot be scored; see `check_coded`.
        OptionError: If there is no such estimator.
    """
    if estimator not in ("binned", "gradient_boosting"):
        raise OptionError(f"estimator is {estimator!r}; choose binned or gradient_boosting")
    _check_both(train, test)
    fit = _binned if estimator == "binned" else _gradient_boosting
    codes = torch.cat([train[0], test[0]])
    columns, correct = [], []
    for train_labels, test_labels in zip(train[1].unbind(1), test[1].unbind(1), strict=True):
        predicted, importance = fit(codes, train_labels)
        columns.append(importance)
        correct.append(predicted == torch.cat([train_labels, test_labels]))
    importances, hits, n = torch.stack(columns, 1).cpu(), torch.stack(correct, 1).double(), len(train[0])
    return DCI(
        disentanglement=_concentration(importances),
        completeness=_concentration(importances.T),
        informativeness=float(hits[n:].mean()),
        informativeness_train=float(hits[:n].mean()),
        importance=importances.tolist(),
    )


def sap(train: Coded, test: Coded, *, continuous: bool = False) -> float:
    """The separated attribute predictability (Kumar et al. 2018, section 3).

    By how much one dimension alone predicts a factor better than the next best one, averaged over the factors.

    Args:
        train: Codes (N, D) and factors (N, F).
        test: Codes (M, D) and factors (M, F), that the classifiers are scored on.
        continuous: Score by the squared correlation on `train` instead of by the accuracy of a linear SVM.

    Returns:
        In [0, 1].

    Raises:
        DataError: If codes or factors cannot be scored; see `check_coded`.
    """
    _check_both(train, test)
    scores = _squared_correlations(*train) if continuous else _svm_accuracies(train, test)
    best, second = scores.topk(2, dim=0).values
    return float((best - second).mean())


def constant_dimensions(codes: Tensor) -> list[int]:
    """The dimensions of codes (N, D) that have one value."""
    low, high = codes.aminmax(dim=0)
    return (low == high).nonzero()[:, 0].tolist()


def check_coded(codes: Tensor, factors: Tensor, name: str = "codes") -> None:
    """Refuses codes that cannot be scored, under this name.

    Raises:
        DataError: If they are not finite (N, D) and integers (N, F) with N, D and F of two or more, or a factor has one value.
    """
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or factors.is_floating_point():
        raise DataError(
            f"{name} are {tuple(codes.shape)}, their factors {factors.dtype} {tuple(factors.shape)}; give (N, D) and int64 (N, F)"
        )
    if min(len(codes), codes.shape[1], factors.shape[1]) < 2:
        samples, dimensions = codes.shape
        raise DataError(
            f"{name} are {samples} samples of {dimensions} dimensions and {factors.shape[1]} factors; give at least two of each"
        )
    if not (finite := codes.isfinite().all(1)).all():
        raise DataError(f"{name} have a NaN or infinite value in row {int(finite.int().argmin())}; look at the encoder")
    if len(alone := (factors == factors[0]).all(0).nonzero()):
        raise DataError(f"factor {int(alone[0])} has one value in all rows of the {name}; leave it out or take more samples")


def _check_both(train: Coded, test: Coded) -> None:
    check_coded(*train, "training codes")
    check_coded(*test, "test codes")
    if (train[0].shape[1], train[1].shape[1]) != (test[0].shape[1], test[1].shape[1]):
        raise DataError(
            f"training codes are {tuple(train[0].shape)} of {train[1].shape[1]} factors, test codes {tuple(test[0].shape)} of "
            f"{test[1].shape[1]}; take both from one encoder and one set of factors"
        )


def _entropy(frequencies: Tensor) -> Tensor:
    """In nats, over the last axis."""
    return -torch.xlogy(frequencies, frequencies).sum(-1)


def _binned(codes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Predictions (N + M,) and importances (D,) of trees fitted to the labels (N,) of the first codes (N + M, D)."""
    classes, targets = labels.unique(return_inverse=True)
    scores, importance = boost(codes, targets)
    return classes[scores.argmax(1)], importance


def _gradient_boosting(codes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """As `_binned`, by scikit-learn."""
    from sklearn.ensemble import GradientBoostingClassifier

    x = codes.cpu().numpy()
    model = GradientBoostingClassifier(random_state=0).fit(x[: len(labels)], labels.cpu().numpy())
    return torch.from_numpy(model.predict(x)).to(labels), torch.from_numpy(model.feature_importances_)


def _concentration(importance: Tensor) -> float:
    """One minus the normalised entropy of each row, weighted by the rows' sums."""
    if not importance.any():
        importance = torch.ones_like(importance)
    shares = (importance + 1e-11) / (importance + 1e-11).sum(1, keepdim=True)
    purity = 1 - _entropy(shares) / math.log(importance.shape[1])
    return float((purity * importance.sum(1)).sum() / importance.sum())


def _squared_correlations(codes: Tensor, factors: Tensor) -> Tensor:
    """(D, F)."""
    x, y = (part.double() - part.double().mean(0) for part in (codes, factors))
    variances = x.square().mean(0)
    squares = (x.T @ y / len(x)).square() / (variances[:, None] * y.square().mean(0))
    return torch.where(variances[:, None] > 1e-12, squares, 0)


def _svm_accuracies(train: Coded, test: Coded) -> Tensor:
    """Test accuracies (D, F) of linear SVMs that see one dimension."""
    from sklearn.svm import LinearSVC

    (x, y), (test_x, test_y) = ([part.cpu().numpy() for part in (codes.double(), factors)] for codes, factors in (train, test))
    scores = torch.empty(x.shape[1], y.shape[1], dtype=torch.float64)
    for d in range(x.shape[1]):
        for f in range(y.shape[1]):
            model = LinearSVC(C=0.01, class_weight="balanced", random_state=0).fit(x[:, d : d + 1], y[:, f])
            scores[d, f] = model.score(test_x[:, d : d + 1], test_y[:, f])
    return scores
