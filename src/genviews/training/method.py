"""What all methods of pretraining share: two views of each sample, a recipe, and a loss of one's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.optim import SGD

from .. import augmentations
from ..augmentations import Augmentation
from ..encoders import Encoder
from ..errors import require_positive
from ..randomness import derive
from ..views.sources import Pair, Views
from .fit import Learner
from .schedule import warmup_cosine


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
class PretrainOptions(ViewOptions):
    """How an encoder is pretrained; the defaults suit small images and a CPU.

    Attributes:
        method: One of `METHODS`.
        objective: Arguments of the method, such as {"temperature": 0.1}; its own defaults otherwise.
        projector_dim: Size of the embedding.
        steps: Optimiser steps.
        batch_size: Over all devices.
        accumulate: Batches whose gradients make one step; each sample's negatives come from its own batch alone.
        lr: Learning rate for 256 samples a step; scaled linearly with them.
        weight_decay: L2 penalty of SGD.
        warmup: Steps of linear warm-up.
        final_lr: Last learning rate of the cosine, as a fraction of the first.
    """

    method: str = "simclr"
    objective: Mapping[str, Any] = field(default_factory=dict)
    projector_dim: int = 128
    steps: int = 300
    batch_size: int = 256
    accumulate: int = 1
    lr: float = 0.3
    weight_decay: float = 1e-4
    warmup: int = 10
    final_lr: float = 0.0

    def __post_init__(self) -> None:
        require_positive(
            image_size=self.image_size,
            projector_dim=self.projector_dim,
            steps=self.steps,
            batch_size=self.batch_size,
            accumulate=self.accumulate,
            lr=self.lr,
        )


class Method(Learner):
    """Two views of each sample enter the loss that a subclass adds, with its heads, among them a `projector`.

    Args:
        encoder: f, the backbone.
        views: The source of pairs; frozen.
        augment: T_x.
        recipe: See `PretrainOptions`.
    """

    frozen_parts = ("views", "augment")
    projector: nn.Sequential

    def __init__(self, encoder: Encoder, views: Views, augment: nn.Module, recipe: PretrainOptions):
        super().__init__()
        self.encoder, self.views, self.augment, self.recipe = encoder, views, augment, recipe

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        """The loss of augmented views of the samples `seeds` (B,), a scalar."""
        raise NotImplementedError

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        fetched, seeds = batch
        pair = self.views(*fetched, seeds=seeds, encoder=self.encoder)
        first, second = self.augment(pair.first, derive(seeds, 1)), self.augment(pair.second, derive(seeds, 2))
        loss = self.loss(Pair(first, second, pair.labels), seeds)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        o = self.recipe
        learned = [
            parameter
            for name, parameter in self.named_parameters()
            if parameter.requires_grad and name.split(".")[0] not in self.frozen_parts
        ]
        lr = o.lr * o.batch_size * o.accumulate / 256
        optimizer = SGD(learned, lr, momentum=0.9, weight_decay=o.weight_decay)
        return {"optimizer": optimizer, "lr_scheduler": warmup_cosine(optimizer, o.steps, o.warmup, o.final_lr)}
