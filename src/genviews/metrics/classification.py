"""What the probes share: labelled features in, a Classification out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

import torch
from torch import Tensor

from ..errors import DataError, OptionError
from ..randomness import sample_seeds

Labelled = tuple[Tensor, Tensor]
"""Features float32 (N, D) and their labels int64 (N,)."""

Setting = float | int | str | None


@dataclass(frozen=True)
class Classification:
    """How well a test set was classified; `dataclasses.asdict` makes it JSON.

    Attributes:
        top1: Accuracy in [0, 1].
        top5: Fraction in [0, 1] whose class is among the five best; 1 where there are no more than five classes.
        per_class: Accuracy on each class, (C,); None for a class that the test set lacks.
        interval: 95 % Wilson score interval of `top1`, for the sampling of the test set.
        n: Test samples.
        spread: Standard deviation of `top1` over draws of the labels, 0 for one draw.
        settings: The probe's parameters, the chosen ones included.
    """

    top1: float
    top5: float
    per_class: list[float | None]
    interval: tuple[float, float]
    n: int
    spread: float = 0.0
    settings: dict[str, Setting] = field(default_factory=dict)

    @property
    def mean_per_class(self) -> float:
        """Accuracy in [0, 1], averaged over the classes of the test set."""
        return fmean(accuracy for accuracy in self.per_class if accuracy is not None)


def classify(scores: Tensor, labels: Tensor, **settings: Setting) -> Classification:
    """Scores a classifier's output.

    Args:
        scores: float (N, C), higher is likelier, -inf for a class that is no candidate; ties go to the smaller class.
        labels: int64 (N,).
        **settings: Kept in the result.
    """
    own = scores.gather(1, labels[:, None])
    smaller = torch.arange(scores.shape[1], device=scores.device) < labels[:, None]
    rank = ((scores > own) | ((scores == own) & smaller)).sum(1)
    candidate = own[:, 0] > -math.inf
    correct = ((rank < 1) & candidate).double()
    counts = labels.bincount(minlength=scores.shape[1])
    hits = labels.bincount(correct, minlength=scores.shape[1])
    top1 = float(correct.mean())
    return Classification(
        top1=top1,
        top5=float(((rank < 5) & candidate).double().mean()),
        per_class=[hit / count if count else None for hit, count in zip(hits.tolist(), counts.tolist(), strict=True)],
        interval=wilson(top1, len(labels)),
        n=len(labels),
        settings=settings,
    )


def average(results: Sequence[Classification], **settings: Setting) -> Classification:
    """Means over repetitions on one test set; `spread` is the standard deviation of their top1."""
    top1s = [result.top1 for result in results]
    top1 = fmean(top1s)
    return Classification(
        top1=top1,
        top5=fmean(result.top5 for result in results),
        per_class=[
            None if None in accuracies else fmean(accuracies) for accuracies in zip(*(r.per_class for r in results), strict=True)
        ],
        interval=wilson(top1, results[0].n),
        n=results[0].n,
        spread=stdev(top1s) if len(top1s) > 1 else 0.0,
        settings=settings,
    )


def wilson(fraction: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The Wilson score interval of a binomial proportion seen in n trials (Wilson 1927); z = 1.96 for 95 %."""
    centre = fraction + z**2 / (2 * n)
    half = z * math.sqrt(fraction * (1 - fraction) / n + z**2 / (4 * n**2))
    return (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)


def ranks_within_class(labels: Tensor, seed: int) -> Tensor:
    """The place int64 (N,) of each sample among those of its class, in an order drawn from `seed`."""
    places = torch.arange(len(labels), device=labels.device)
    order = sample_seeds(seed, places).argsort()
    grouped = order[labels[order].argsort(stable=True)]
    counts = labels.bincount()
    ranks = torch.empty_like(labels)
    ranks[grouped] = places - (counts.cumsum(0) - counts)[labels[grouped]]
    return ranks


def few_label(labels: Tensor, per_class: int, seed: int = 0) -> Tensor:
    """Draws a class-balanced subset; of one seed, a smaller one is part of a larger one.

    Args:
        labels: int64 (N,).
        per_class: Samples of each class that is there.
        seed: Of the draw.

    Returns:
        Indices int64 (C * per_class,), ascending.

    Raises:
        DataError: If a class has fewer samples, or per_class is not positive.
    """
    classes, counts = labels.unique(return_counts=True)
    if per_class < 1 or counts.min() < per_class:
        raise DataError(
            f"{per_class} labels a class were asked for and class {classes[counts.argmin()]} has {counts.min()} samples; "
            f"ask for 1 to {counts.min()}"
        )
    return (ranks_within_class(labels, seed) < per_class).nonzero()[:, 0]


def class_fraction(labels: Tensor, fraction: float, seed: int = 0) -> Tensor:
    """Draws the same fraction of each class, at least one sample; of one seed, a smaller one is part of a larger one.

    Args:
        labels: int64 (N,).
        fraction: In (0, 1].
        seed: Of the draw.

    Returns:
        Indices int64, ascending.

    Raises:
        OptionError: If the fraction is not in (0, 1].
    """
    if not 0 < fraction <= 1:
        raise OptionError(f"fraction is {fraction}; label a fraction above 0 and at most 1, such as 0.01")
    counts = (fraction * labels.bincount()).round().clamp(min=1)
    return (ranks_within_class(labels, seed) < counts[labels]).nonzero()[:, 0]


def held_out(labels: Tensor, fraction: float, seed: int = 0) -> Tensor:
    """Which samples are held out to choose by, bool (N,): the fraction of each class, at least one of a class of two or more.

    Args:
        labels: int64 (N,).
        fraction: In (0, 1).
        seed: Of the draw.

    Raises:
        OptionError: If the fraction is not in (0, 1).
    """
    if not 0 < fraction < 1:
        raise OptionError(f"validation is {fraction}; hold out a fraction between 0 and 1, such as 0.1")
    counts = labels.bincount()
    held_counts = (fraction * counts).round().clamp(min=1).minimum(counts - 1)
    return ranks_within_class(labels, seed) < held_counts[labels]


def check_labelled(train: Labelled, test: Labelled, name: str = "test") -> None:
    """Refuses features that no probe can use, those of `test` under this name.

    Raises:
        DataError: If features are not finite (N, D) of one D, labels not int64 (N,) from 0, train has fewer than two classes, or
            test has a class that train lacks.
    """
    for part, (features, labels) in (("train", train), (name, test)):
        if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
            raise DataError(
                f"{part} holds features {tuple(features.shape)} and labels {tuple(labels.shape)}; give (N, D) and (N,) with N > 0"
            )
        if labels.dtype != torch.int64 or labels.min() < 0:
            raise DataError(f"{part} holds {labels.dtype} labels from {labels.min()}; give int64 classes from 0")
        if not features.sum().isfinite() and not features.isfinite().all():  # the sum alone is much faster
            row = int((~features.isfinite()).any(1).nonzero()[0])
            raise DataError(f"{part} features have a NaN or infinite value in row {row}; look at the encoder that made them")
    if train[0].shape[1] != test[0].shape[1]:
        raise DataError(
            f"train features have {train[0].shape[1]} dimensions, {name} features {test[0].shape[1]}; use one encoder for both"
        )
    classes = train[1].unique()
    if len(classes) < 2:
        raise DataError(f"train holds only class {int(classes[0])}; a probe needs at least two")
    missing = test[1].unique()
    missing = missing[~torch.isin(missing, classes)]
    if len(missing):
        raise DataError(f"{name} holds class {int(missing[0])}, of which train has no sample; use the same classes in both")
