"""A small classifier of a data set, for the features and logits that judge a generator of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torch.optim import AdamW

from ..augmentations import Augmentation
from ..data import Splits, extract
from ..encoders import Features, classifier, features, save_classifier
from ..errors import DataError, require_positive
from .fit import Learner, fit
from .schedule import warmup_cosine


@dataclass(frozen=True)
class ClassifierOptions:
    """How a classifier is trained.

    Attributes:
        backbone: Of the encoder: "conv-small", "<timm ResNet>-cifar", or any timm name.
        steps: Optimiser steps.
        batch_size: Images a step, or all there are if fewer.
        lr: Of AdamW, after a short warm-up and before a cosine to zero.
        weight_decay: Of AdamW.
        seed: Of everything.
    """

    backbone: str = "conv-small"
    steps: int = 400
    batch_size: int = 128
    lr: float = 1e-2
    weight_decay: float = 1e-2
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(steps=self.steps, batch_size=self.batch_size, lr=self.lr)

    def optimizers(self, found: Features) -> dict[str, Any]:
        """Lightning's description of how a classifier is trained."""
        optimizer = AdamW(found.parameters(), self.lr, weight_decay=self.weight_decay)
        return {"optimizer": optimizer, "lr_scheduler": warmup_cosine(optimizer, self.steps, self.steps // 15)}


class Classifier(Learner):
    """Images learn their labels by cross-entropy.

    Args:
        found: An encoder and its head.
        optimizers: Makes Lightning's description of the optimizer and its schedule.
        augment: T_x; None for the images as they are.
    """

    frozen_parts = ("augment",)

    def __init__(self, found: Features, optimizers: Callable[[Features], dict[str, Any]], augment: Augmentation | None = None):
        super().__init__()
        self.found, self.make_optimizers, self.augment = found, optimizers, augment

    def training_step(self, batch: tuple[tuple[Tensor, Tensor], Tensor], _: int) -> Tensor:
        (images, labels), seeds = batch
        images = images.float() / 255
        if self.augment is not None:
            images = self.augment(images, seeds)
        loss = F.cross_entropy(self.found.head(self.found(images)), labels)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return self.make_optimizers(self.found)


def train_classifier(
    data: Splits,
    options: ClassifierOptions | None = None,
    *,
    name: str = "the data",
    out: Path | None = None,
    resume: bool = False,
    **trainer: Any,
) -> Features:
    """Trains a classifier on the training part, and names it with its accuracy on the test part.

    Args:
        data: Labelled splits.
        options: See `ClassifierOptions`; its defaults if None.
        name: Of the data, for the features' name.
        out: Folder for checkpoints, `metrics.csv` and the classifier, which `encoders.features` opens; None keeps nothing.
        resume: Go on from the last checkpoint in `out`, or return the classifier that a finished run left there.
        **trainer: Further arguments of `fit`.

    Returns:
        In eval mode and without gradients to the weights.

    Raises:
        DataError: If there are images without a label, or fewer than two classes.
    """
    if resume and out and (out / "model.json").exists():
        return features(out)
    o = options or ClassifierOptions()
    labels = data.train.labels
    if min(labels.min(), data.test.labels.min()) < 0 or len(labels.unique()) < 2:
        raise DataError(
            "there are no labels of two or more classes to train a classifier with, whose features would be compared; "
            "name other features, such as FID's InceptionV3 or an encoder's folder"
        )
    channels, side, _ = data.train.image_shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(o.seed)
        config = {"backbone": o.backbone, "in_channels": channels, "image_size": max(16, side)}
        found = classifier(config, int(labels.max()) + 1)
    fit(
        Classifier(found, o.optimizers),
        data.train,
        steps=o.steps,
        batch_size=min(o.batch_size, len(data.train)),
        seed=o.seed,
        out=out,
        resume=resume,
        description="classifier",
        **trainer,
    )
    tested, labels = extract(found, data.test, progress=False)
    accuracy = float((found.head(tested.to(found.head.weight.device)).argmax(1).cpu() == labels).float().mean())
    found.name = f"{o.backbone} classifier of {name}, {accuracy:.1%} test accuracy"
    if out:
        rank_zero_only(save_classifier)(found, out)
    return found.eval().requires_grad_(False)
