"""Fine-tuning as a protocol: on a few per cent of the labels (semi-supervised) or on all of another data set (transfer)."""

import json
import shutil
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import devices
from ..checkpoints import read_json, write_text
from ..data import Images, Joined, Splits, Subset, extract
from ..encoders import Encoder, Features
from ..errors import DataError, NonFiniteError, OptionError
from ..metrics import Classification, few_label
from ..metrics.classification import class_fraction, classify, held_out

if TYPE_CHECKING:
    from ..training import FinetuneOptions

Score = tuple[float, float]
"""Accuracy and, where that is equal, mean log-likelihood; higher is better."""


def finetune(
    encoder: Encoder,
    data: Splits,
    options: "FinetuneOptions | None" = None,
    *,
    fraction: float | None = None,
    labels_per_class: int | None = None,
    out: Path | None = None,
    resume: bool = False,
    **trainer: Any,
) -> Classification:
    """Fine-tunes an encoder and scores it on the test part, once.

    Each pair of the options' learning rates and weight decays is trained without the validation part and scored on it; the best
    is trained again on everything. With all labels the validation part is the data's own if they have one; else, and with few
    labels, it is held out of the labelled images. Where no class has two of them, the first pair is taken.

    Args:
        encoder: Left as it is.
        data: Labelled splits.
        options: See `training.FinetuneOptions`; its defaults if None.
        fraction: Label this fraction of each class of the training part, at least one image (Chen et al. 2020: 0.01 and 0.1); the
            same images for a seed. None for all.
        labels_per_class: Label so many of each class instead.
        out: Folder for the scores of the pairs (`grid.json`) and the chosen classifier (`model.json`); None keeps nothing.
        resume: Go on with the run in `out`.
        **trainer: Further arguments of `training.fit` (precision, workers, ...).

    Returns:
        The test accuracy; its settings have the chosen `lr` and `weight_decay` and the number `labelled`.

    Raises:
        OptionError: If both `fraction` and `labels_per_class` are given, or a value is impossible.
        DataError: If images have no label, there are fewer than two classes, or training lacks a class of another part.
        NonFiniteError: If every pair diverges.
    """
    from .. import training  # takes seconds

    o = options or training.FinetuneOptions()
    _check(data)
    labelled, held = _labelled(data, fraction, labels_per_class, o)
    pairs = {f"lr-{lr:g}-decay-{decay:g}": (lr, decay) for lr, decay in product(o.lr, o.weight_decay)}
    grid: dict[str, Score] = read_json(out / "grid.json") if out and resume and (out / "grid.json").exists() else {}

    def train(images: Images, name: str, folder: Path | None, description: str) -> Features:
        lr, decay = pairs[name]
        return training.finetune(
            encoder, images, o, lr=lr, weight_decay=decay, out=folder, resume=resume, description=description, **trainer
        )

    def score(name: str, folder: Path | None) -> Score:
        try:
            found = train(Subset(labelled, (~held).nonzero()[:, 0]), name, folder, name)
            logits, labels = _logits(found, Subset(labelled, held.nonzero()[:, 0]))
        except NonFiniteError:  # it diverged
            return 0.0, -1e9
        return classify(logits, labels).top1, -float(F.cross_entropy(logits, labels))

    for name in pairs if held.any() and len(pairs) > 1 else ():
        if name in grid:
            continue
        folder = out / name if out else None
        grid[name] = score(name, folder)
        if out and folder:
            write_text(out / "grid.json", json.dumps(grid, indent=1) + "\n")
            shutil.rmtree(folder, ignore_errors=True)
    best = max(pairs, key=lambda name: tuple(grid.get(name, ())))
    logits, labels = _logits(train(labelled, best, out, "fine-tuning"), data.test)
    lr, decay = pairs[best]
    return classify(logits, labels, lr=lr, weight_decay=decay, labelled=len(labelled), steps=o.steps)


def _labelled(data: Splits, fraction: float | None, per_class: int | None, options: "FinetuneOptions") -> tuple[Images, Tensor]:
    """The images whose labels are used, and which of them settings are chosen by, bool (N,)."""
    labels = data.train.labels
    if fraction is not None and per_class is not None:
        raise OptionError(f"fraction is {fraction} and labels_per_class {per_class}; give one of them")
    if fraction is None and per_class is None and data.validation is not None:
        both = Joined(data.train, data.validation)
        return both, torch.arange(len(both)) >= len(data.train)
    images = data.train
    if fraction is not None:
        images = Subset(images, class_fraction(labels, fraction, options.seed))
    elif per_class is not None:
        images = Subset(images, few_label(labels, per_class, options.seed))
    return images, held_out(images.labels, options.validation, options.seed)


def _check(data: Splits) -> None:
    classes = data.train.labels.unique()
    if classes.min() < 0 or len(classes) < 2:
        raise DataError("train has images without a label, or of one class alone; fine-tuning takes labels of two or more")
    for name, part in {"test": data.test, "validation": data.validation}.items():
        if part is not None and len(missing := part.labels[~torch.isin(part.labels, classes)]):
            raise DataError(f"{name} holds class {int(missing[0])}, of which train has no sample; use the same classes in both")


def _logits(found: Features, images: Images) -> tuple[Tensor, Tensor]:
    """The logits (N, K) of images and their labels (N,)."""
    return extract(nn.Sequential(found.body, found.head), images, device=devices.best())
