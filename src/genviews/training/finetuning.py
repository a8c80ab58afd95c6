"""Fine-tuning: a pretrained encoder and a new linear head learn the labels together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only
from torch import nn
from torch.optim import SGD

from .. import augmentations
from ..augmentations import Augmentation
from ..data import Images
from ..encoders import Encoder, Features, classifier, features, save_classifier
from ..errors import OptionError, require_positive
from .classifier import Classifier
from .fit import fit
from .schedule import warmup_cosine


@dataclass(frozen=True)
class FinetuneOptions:
    """How an encoder is fine-tuned; the defaults suit small images and a CPU.

    Attributes:
        steps: Optimiser steps.
        batch_size: Images a step, or all there are if fewer.
        lr: Learning rates of the encoder to choose from, before a cosine to zero; [0.01] leaves no choice.
        weight_decay: L2 penalties to choose from.
        head: The head's learning rate, as a multiple of the encoder's.
        augmentation: T_x by name; "weak" for colour and "mnist" for grey images if None.
        validation: Fraction of each class's labels to choose by, where the data come without a validation part.
        seed: Of the labels drawn, the part to choose by, the order and every sample's randomness.
    """

    steps: int = 300
    batch_size: int = 64
    lr: Sequence[float] = (0.03, 0.3)
    weight_decay: Sequence[float] = (0.0, 1e-3)
    head: float = 1.0
    augmentation: str | None = None
    validation: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(steps=self.steps, batch_size=self.batch_size, head=self.head, lr=min(self.lr, default=0))
        if min(self.weight_decay, default=-1) < 0:
            raise OptionError(f"weight_decay is {self.weight_decay}; give one or more that are not negative")

    def augment(self, encoder: Encoder, image_shape: tuple[int, int, int]) -> Augmentation:
        """T_x for images (C, H, W), to the size that the encoder takes."""
        name = self.augmentation or ("mnist" if image_shape[0] == 1 else "weak")
        return augmentations.create(name, encoder.image_size or image_shape[-1])


def nesterov(found: Features, *, lr: float, weight_decay: float, head: float, steps: int) -> dict[str, Any]:
    """Lightning's description of SGD with Nesterov momentum 0.9, the learning rate on a cosine, the head's times `head`."""
    groups = [{"params": found.body.parameters()}, {"params": found.head.parameters(), "lr": head * lr}]
    optimizer = SGD(groups, lr, momentum=0.9, nesterov=True, weight_decay=weight_decay)
    return {"optimizer": optimizer, "lr_scheduler": warmup_cosine(optimizer, steps)}


def finetune(
    encoder: Encoder,
    images: Images,
    options: FinetuneOptions,
    *,
    lr: float | None = None,
    weight_decay: float | None = None,
    out: Path | None = None,
    resume: bool = False,
    description: str = "fine-tuning",
    **trainer: Any,
) -> Features:
    """Trains a copy of an encoder, all of it, with a linear head that starts from zero.

    Args:
        encoder: Left as it is.
        images: Labelled, from 0.
        options: See `FinetuneOptions`.
        lr: The learning rate; the first of the options' if None.
        weight_decay: The L2 penalty; the first of the options' if None.
        out: Folder for checkpoints, `metrics.csv` and the classifier, which `encoders.features` opens; None keeps nothing.
        resume: Go on from the last checkpoint in `out`, or return the classifier that a finished run left there.
        description: For the progress bar.
        **trainer: Further arguments of `fit` (precision, devices, workers, ...).

    Returns:
        The classifier, in eval mode, as the last step left it.

    Raises:
        OptionError: If there is no such augmentation.
        NonFiniteError: If the loss or a gradient is NaN or infinite.
    """
    if resume and out and (out / "model.json").exists():
        return features(out)
    found = classifier(encoder.config, int(images.labels.max()) + 1, "fine-tuned")
    found.body.load_state_dict(encoder.state_dict())
    nn.init.zeros_(found.head.weight)
    nn.init.zeros_(found.head.bias)
    optimizers = partial(
        nesterov,
        lr=options.lr[0] if lr is None else lr,
        weight_decay=options.weight_decay[0] if weight_decay is None else weight_decay,
        head=options.head,
        steps=options.steps,
    )
    fit(
        Classifier(found, optimizers, options.augment(encoder, images.image_shape)),
        images,
        steps=options.steps,
        batch_size=min(options.batch_size, len(images)),
        seed=options.seed,
        out=out,
        resume=resume,
        description=description,
        **trainer,
    )
    if out:
        rank_zero_only(save_classifier)(found, out)
    return found.eval()
