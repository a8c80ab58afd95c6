"""What all methods of pretraining share: two views of each sample, a recipe, and a loss of one's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torchvision.utils import save_image

from .. import augmentations
from ..encoders import Encoder, save_projector
from ..errors import OptionError, require_positive
from ..randomness import derive, pick, sample_seeds
from ..views.sources import Pair, Views
from .fit import Learner
from .schedule import warmup_cosine

ROWS = 8
"""Of the picture of views."""


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """How views are made and looked at.

    Attributes:
        backbone: Of the encoder: "conv-small", "<timm ResNet>-cifar", or any timm name.
        augmentation: T_x by name, or a ViewMaker by path; "simclr" for colour and "mnist" for grey images if None.
        exact: T_x op by op as torchvision does, instead of the faster fused form.
        image_size: Side of the views in pixels; the images' own, but at least 16, if None.
        seed: Of the weights, the order and every sample's randomness.
    """

    backbone: str = "conv-small"
    augmentation: str | None = None
    exact: bool = False
    image_size: int | None = None
    seed: int = 0

    def augment(self, image_shape: tuple[int, int, int], name: str | None = None) -> nn.Module:
        """T_x for images (C, H, W), or another of that name or path."""
        name = name or self.augmentation or ("mnist" if image_shape[0] == 1 else "simclr")
        if name not in augmentations.available() and Path(name).exists():
            return augmentations.load(name, self.side(image_shape))
        return augmentations.create(name, self.side(image_shape), self.exact)

    def encoder(self, image_shape: tuple[int, int, int]) -> Encoder:
        """An untrained encoder for views of images (C, H, W)."""
        return Encoder(self.backbone, image_shape[0], self.side(image_shape))

    def side(self, image_shape: tuple[int, int, int]) -> int:
        """Of the views of images (C, H, W), in pixels."""
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
        assimilate: What becomes of generated views: "a1", one takes the place of the second view; "a2", they attract both views;
            None if there are none.
        alpha: Weight of that attraction ("a2"), relative to the method's own.
        generated_augmentation: T_x of generated views by name.
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
    assimilate: Literal["a1", "a2"] | None = None
    alpha: float = 0.5
    generated_augmentation: str = "weak"

    def __post_init__(self) -> None:
        if self.assimilate not in ("a1", "a2", None):
            raise OptionError(f"assimilate is {self.assimilate!r}; choose a1 (replace a view), a2 (attract both) or None")
        require_positive(
            image_size=self.image_size,
            projector_dim=self.projector_dim,
            steps=self.steps,
            batch_size=self.batch_size,
            accumulate=self.accumulate,
            lr=self.lr,
            alpha=self.alpha,
        )


class Method(Learner):
    """Two views of each sample enter the loss that a subclass adds, with its heads, among them a `projector`.

    Where samples have generated views too (the paper on assimilating learned views), "a1" lets one, drawn at each step, take the
    place of the second view, and "a2" adds `attraction` to the loss. Their T_x is `generated_augmentation`.

    Args:
        encoder: f, the backbone.
        views: The source of pairs; frozen.
        augment: T_x.
        recipe: See `PretrainOptions`.
    """

    frozen_parts = ("views", "augment", "augment_generated")
    projector: nn.Sequential
    temperature: float

    def __init__(self, encoder: Encoder, views: Views, augment: nn.Module, recipe: PretrainOptions):
        super().__init__()
        self.encoder, self.views, self.augment, self.recipe = encoder, views, augment, recipe
        self.augment_generated = recipe.augment(views.image_shape, recipe.generated_augmentation)

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        """The loss of augmented views of the samples `seeds` (B,), a scalar."""
        raise NotImplementedError

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        fetched, seeds = batch
        pair = self.views(*fetched, seeds=seeds, encoder=self.encoder)
        loss = self.loss(self.augmented(pair, seeds), seeds)
        self.log("loss", loss)
        return loss

    def augmented(self, pair: Pair, seeds: Tensor) -> Pair:
        """T_x of all views that enter the loss.

        Raises:
            OptionError: If there are generated views and the recipe does not say what becomes of them, or the reverse.
        """
        first, second, labels, generated = pair
        assimilate = self.recipe.assimilate
        if generated is not None and assimilate is None:
            raise OptionError(
                "assimilate is None, but the views have generated ones; choose a1 (replace one) or a2 (attract both)"
            )
        if generated is None and assimilate is not None:
            raise OptionError(f"assimilate is {assimilate!r}, but the views have no generated ones; name learned views, or none")
        first = self.augment(first, derive(seeds, 1))
        if generated is not None and assimilate == "a1":
            drawn = generated[torch.arange(len(seeds), device=seeds.device), pick(derive(seeds, 7), generated.shape[1])]
            return Pair(first, self.augment_generated(drawn, derive(seeds, 2)), labels)
        second = self.augment(second, derive(seeds, 2))
        if generated is not None:
            each = enumerate(generated.unbind(1))
            generated = torch.stack([self.augment_generated(images, derive(seeds, 8 + i)) for i, images in each], 1)
        return Pair(first, second, labels, generated)

    def attraction(self, first: Any, second: Any, views: Pair) -> Tensor | float:
        """What A2 adds to the loss: alpha times the mean `distance` between each of two expert views and each generated one.

        Of embeddings compared by angles that is the paper's -alpha / temperature * mean(z1 . z3, z2 . z3). Elsewhere it is this
        project's choice: methods attract in the geometry of their own loss, so that at alpha 1 a generated view attracts as
        strongly as the other expert one. For SimSiam and BYOL, whose form is the paper's eq. 16, that is the negative cosine of
        predictions to targets without gradient, both ways.

        Args:
            first: What `embed` makes of the first views.
            second: And of the second.
            views: Those of `loss`; without generated ones nothing is added.
        """
        if views.generated is None:
            return 0.0
        generated = [self.embed(images) for images in views.generated.unbind(1)]
        return self.recipe.alpha * torch.stack([self.distance(x, y) for x in (first, second) for y in generated]).mean()

    def embed(self, images: Tensor) -> Any:
        """What `distance` compares: here the embeddings (B, D)."""
        return self.projector(self.encoder(images))

    def distance(self, first: Any, second: Any) -> Tensor:
        """What attracts a pair of views in the loss, the mean over the batch: here -cos / temperature of embeddings."""
        return -F.cosine_similarity(first.float(), second.float()).mean() / self.temperature

    def optimizer(self, *apart: str) -> Optimizer:
        """SGD of all that is learned, but the parts `apart`."""
        o = self.recipe
        learned = [
            parameter
            for name, parameter in self.named_parameters()
            if parameter.requires_grad and name.split(".")[0] not in (*self.frozen_parts, *apart)
        ]
        return SGD(learned, o.lr * o.batch_size * o.accumulate / 256, momentum=0.9, weight_decay=o.weight_decay)

    def configure_optimizers(self) -> Any:
        o, optimizer = self.recipe, self.optimizer()
        return {"optimizer": optimizer, "lr_scheduler": warmup_cosine(optimizer, o.steps, o.warmup, o.final_lr)}

    def keep(self, out: Path) -> None:
        """Writes what belongs to the encoder beside it: the projector."""
        save_projector(self.projector, out)

    def draw(self, out: Path) -> None:
        """Writes images/views.png, what the encoder saw."""
        (out / "images").mkdir(exist_ok=True)
        rows = self.picture()
        save_image(rows.flatten(0, 1).clamp(0, 1), out / "images" / "views.png", nrow=rows.shape[1], padding=1)

    @torch.no_grad()
    def picture(self) -> Tensor:
        """The source's first images, eight at most, and beside each the views that enter the loss: (8, 3 or more, C, H, W)."""
        indices = torch.arange(min(ROWS, len(self.views)))
        seeds = sample_seeds(self.recipe.seed, indices).to(self.device)
        fetched = (part.to(self.device) for part in self.views[indices])
        pair = self.views(*fetched, seeds=seeds, encoder=self.encoder)
        views = self.augmented(pair, seeds)
        generated = [] if views.generated is None else views.generated.unbind(1)
        return torch.stack([F.interpolate(pair.first, views.first.shape[2:]), *views[:2], *generated], 1)
