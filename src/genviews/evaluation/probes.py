"""Probes of a frozen encoder: linear classifiers and nearest neighbours on its features."""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .. import metrics
from ..data import Splits, extract
from ..errors import OptionError
from ..metrics import Classification
from ..metrics.classification import Labelled

Device = torch.device | str | None


def linear(
    encoder: nn.Module, data: Splits, *, labels_per_class: int | None = None, seed: int = 0, device: Device = None, **options: Any
) -> Classification:
    """The linear probe of an encoder.

    Where the data come with a validation part, the regularisation is chosen on it and the classifier trained on both.

    Args:
        encoder: float32 images (B, C, H, W) in [0, 1] -> (B, D).
        data: Splits to train the classifier on and to test it on.
        labels_per_class: Train on so few of the training part, averaged over draws of them; None for all.
        seed: Of the held-out part, the batches and the draws.
        device: To encode on; None for where the encoder is.
        **options: Of `metrics.linear_probe` (protocol, lr, ...) and, with few labels, `metrics.few_label_probe` (draws).

    Raises:
        DataError, OptionError, NonFiniteError: As `extract` and the metric do.
    """
    train, test = _features(encoder, data, device)
    if labels_per_class is None:
        return metrics.linear_probe(train, test, seed=seed, **_validation(encoder, data, device) | options)
    return metrics.few_label_probe(train, test, labels_per_class, seed=seed, **options)


def knn(encoder: nn.Module, data: Splits, k: int = 5, temperature: float | None = None, device: Device = None) -> Classification:
    """The nearest-neighbour probe of an encoder; see `metrics.knn` and `linear` for the arguments and errors."""
    return metrics.knn(*_features(encoder, data, device), k=k, temperature=temperature)


def check(probes: Sequence[str]) -> None:
    """Refuses names that `probe` does not know.

    Raises:
        OptionError: Names the first.
    """
    for name in probes:
        if not re.fullmatch(r"linear|(linear|knn)-[1-9]\d*", name):
            raise OptionError(f"probe {name!r} is unknown; use 'linear', 'linear-N' (N labels a class) or 'knn-K' (K neighbours)")


def probe(
    encoder: nn.Module,
    data: Splits,
    probes: Sequence[str] = ("linear", "linear-3", "knn-5"),
    seed: int = 0,
    device: Device = None,
    **options: Any,
) -> dict[str, Classification]:
    """Several probes of features that are extracted once.

    Args:
        encoder: float32 images (B, C, H, W) in [0, 1] -> (B, D).
        data: Splits to train on and to test on.
        probes: "linear" (all labels), "linear-N" (N labels a class, averaged over draws) or "knn-K" (K neighbours).
        seed: Of the linear probes.
        device: To encode on; None for where the encoder is.
        **options: Of `metrics.linear_probe`, for the linear ones.

    Returns:
        The result of each, by name.

    Raises:
        OptionError: If a probe's name is none of these.
        DataError, NonFiniteError: As `extract` and the metrics do.
    """
    check(probes)
    train, test = _features(encoder, data, device)
    validation = _validation(encoder, data, device) if "linear" in probes else {}

    def run(kind: str, number: str) -> Classification:
        if kind == "knn":
            return metrics.knn(train, test, k=int(number))
        if number:
            return metrics.few_label_probe(train, test, int(number), seed=seed, **options)
        return metrics.linear_probe(train, test, seed=seed, **validation | options)

    return {name: run(*name.partition("-")[::2]) for name in probes}


def _features(encoder: nn.Module, data: Splits, device: Device) -> tuple[Labelled, Labelled]:
    return extract(encoder, data.train, device=device), extract(encoder, data.test, device=device)


def _validation(encoder: nn.Module, data: Splits, device: Device) -> dict[str, Any]:
    """The option of `metrics.linear_probe` for data that come with a validation part."""
    return {} if data.validation is None else {"validation": extract(encoder, data.validation, device=device)}
