"""SimCLR (Chen et al. 2020) on any source of views: moves f so that the two views of a sample agree."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from .. import augmentations, encoders
from ..augmentations import Augmentation
from ..data import Images
from ..encoders import Encoder, projector
from ..errors import require_positive
from ..losses import gather, info_nce
from ..randomness import derive
from ..views.sources import Views
from .fit import Learner, fit
from .online import OnlineKNN


def warmup_cosine(optimizer: Optimizer, steps: int, warmup: int = 0, final: float = 0.0) -> dict[str, Any]:
    """Lightning's description of a schedule by step: linear warm-up to the learning rate, then a cosine to `final` times it."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return final + (1 - final) * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2

    return {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """How views are made and looked at.

    Attributes:
        backbone: Of the encoder: "conv-small", "<timm ResNet>-cifar", or any timm name.
        augmentation: T_x by name; "simclr" for colour and "mnist" for grey images if None.
        exact: T_x op by op as torchvision does, instead of the faster fused form.
        image_size: Side of the views in pixels; the images' own, but at least 16, if None.
        seed: Of the weights, the order and every sample's randomness.
    """

    backbone: str = "conv-small"
    augmentation: str | None = None
    exact: bool = False
    image_size: int | None = None
    seed: int = 0

    def augment(self, image_shape: tuple[int, int, int]) -> Augmentation:
        """T_x for images (C, H, W)."""
        name = self.augmentation or ("mnist" if image_shape[0] == 1 else "simclr")
        return augmentations.create(name, self._side(image_shape), self.exact)

    def encoder(self, image_shape: tuple[int, int, int]) -> Encoder:
        """An untrained encoder for views of images (C, H, W)."""
        return Encoder(self.backbone, image_shape[0], self._side(image_shape))

    def _side(self, image_shape: tuple[int, int, int]) -> int:
        return self.image_size or max(16, image_shape[-1])


@dataclass(frozen=True, kw_only=True)
class SimCLROptions(ViewOptions):
    """How an encoder is pretrained; the defaults suit small images and a CPU.

    Attributes:
        steps: Optimiser steps.
        batch_size: Over all devices.
        lr: Learning rate for a batch of 256; scaled linearly with the batch.
        weight_decay: L2 penalty of SGD.
        warmup: Steps of linear warm-up.
        final_lr: Last learning rate of the cosine, as a fraction of the first.
        temperature: Of InfoNCE.
        projector_dim: Size of the embedding.
    """

    steps: int = 300
    batch_size: int = 256
    lr: float = 0.3
    weight_decay: float = 1e-4
    warmup: int = 10
    final_lr: float = 0.0
    temperature: float = 0.2
    projector_dim: int = 128

    def __post_init__(self) -> None:
        require_positive(
            image_size=self.image_size,
            steps=self.steps,
            batch_size=self.batch_size,
            lr=self.lr,
            temperature=self.temperature,
            projector_dim=self.projector_dim,
        )


class SimCLR(Learner):
    """Two views of a sample attract, all others repel.

    Args:
        encoder: f, the backbone.
        views: The source of pairs; frozen.
        augment: T_x.
        options: See `SimCLROptions`.
    """

    frozen_parts = ("views", "augment")

    def __init__(self, encoder: Encoder, views: Views, augment: nn.Module, options: SimCLROptions):
        super().__init__()
        self.encoder, self.views, self.augment, self.options = encoder, views, augment, options
        self.projector = projector(encoder.num_features, out_features=options.projector_dim)

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        fetched, seeds = batch
        anchors, positives = self.views(*fetched)
        views = torch.cat([self.augment(anchors, derive(seeds, 1)), self.augment(positives, derive(seeds, 2))])
        first, second = self.projector(self.encoder(views)).chunk(2)
        loss = info_nce(gather(first), gather(second), self.options.temperature)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        o = self.options
        learned = [*self.encoder.parameters(), *self.projector.parameters()]
        optimizer = SGD(learned, o.lr * o.batch_size / 256, momentum=0.9, weight_decay=o.weight_decay)
        return {"optimizer": optimizer, "lr_scheduler": warmup_cosine(optimizer, o.steps, o.warmup, o.final_lr)}


def pretrain(
    views: Views,
    options: SimCLROptions,
    out: Path | None = None,
    resume: bool = False,
    description: str = "encoder",
    watch: Images | None = None,
    log_every: int = 10,
    **trainer: Any,
) -> Encoder:
    """Trains an encoder on a source of views.

    Args:
        views: Real, rendered or generated pairs.
        options: See `SimCLROptions`.
        out: Run folder for checkpoints, `metrics.csv` and the exported encoder; None keeps nothing.
        resume: Go on from the last checkpoint in `out`, or return the encoder that a finished run left there.
        description: For the progress bar.
        watch: Labelled training images, whose nearest-neighbour accuracy the history then holds; None watches nothing.
        log_every: Steps between rows of the history.
        **trainer: Further arguments of `fit` (precision, devices, workers, ...).

    Returns:
        The encoder, in eval mode, as the last step left it.
    """
    if resume and out and (out / "model.json").exists():
        return encoders.load(out)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        module = SimCLR(options.encoder(views.image_shape), views, options.augment(views.image_shape), options)
    fit(
        module,
        views,
        steps=options.steps,
        batch_size=options.batch_size,
        seed=options.seed,
        out=out,
        resume=resume,
        description=description,
        callbacks=[OnlineKNN(watch, log_every)] if watch else [],
        log_every=log_every,
        **trainer,
    )
    if out:
        rank_zero_only(encoders.save)(module.encoder, out, options=asdict(options))
    return module.encoder.eval()
