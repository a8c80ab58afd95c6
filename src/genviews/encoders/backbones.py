"""Backbones: images (B, C, H, W) in [0, 1] -> representations (B, D)."""

from difflib import get_close_matches
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import OptionError, ShapeError, require_positive
from ..generators import DISCRIMINATORS
from ..generators.disco_vae import convolutional_encoder

MEAN, STD = {1: [0.449], 3: [0.485, 0.456, 0.406]}, {1: [0.226], 3: [0.229, 0.224, 0.225]}

_CODES = {f"{family}-discriminator": family for family in ("dcgan", "sngan", "stylegan2")}


def conv_small(in_channels: int, width: int = 32, outputs: int | None = None) -> nn.Sequential:
    """Three 3x3 stride-2 convolutions (width, 2 width, 4 width channels) with BatchNorm and ReLU, averaged: for 8-32 px."""
    require_positive(width=width)
    layers: list[nn.Module] = []
    for into, out in ((in_channels, width), (width, 2 * width), (2 * width, 4 * width)):
        layers += [nn.Conv2d(into, out, 3, 2, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
    head = [] if outputs is None else [nn.Linear(4 * width, outputs)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *head)


class Codes(nn.Module):
    """Q of an InfoGAN (Chen et al. 2016): what a head reads from the features of a discriminator.

    Of DCGAN and StyleGAN2, whose discriminators compare the images of a batch, codes depend on the batch a little.

    Args:
        family: Of the GAN.
        image_shape: (C, H, W).
        outputs: J, the codes.
        options: Further arguments of the discriminator.
    """

    def __init__(self, family: str, image_shape: tuple[int, int, int], outputs: int, **options: Any):
        super().__init__()
        discriminator: Any = DISCRIMINATORS[family](image_shape, **options)
        self.discriminator, self.head = discriminator, projector(discriminator.num_features, 128, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] -> (B, J)."""
        return self.head(self.discriminator.features(images))


def timm_backbone(name: str, in_channels: int, outputs: int | None = None, **options: Any) -> nn.Module:
    """Any timm model without its classifier; "<resnet>-cifar" has a 3x3 stride-1 stem and no max-pool, for 32 px."""
    import timm  # takes seconds

    base, cifar = name.removesuffix("-cifar"), name.endswith("-cifar")
    try:
        model = timm.create_model(base, pretrained=False, num_classes=outputs or 0, in_chans=in_channels, **options)
    except (RuntimeError, ValueError):
        near = ", ".join(get_close_matches(base, timm.list_models())) or "resnet18"
        raise OptionError(f"backbone {name!r} is neither conv-small, disco nor a timm model; did you mean: {near}?") from None
    if cifar:
        stem = getattr(model, "conv1", None)
        if not isinstance(stem, nn.Conv2d) or not hasattr(model, "maxpool"):
            raise OptionError(f"backbone {name!r}: only timm's ResNets have a -cifar form")
        model.conv1 = nn.Conv2d(in_channels, stem.out_channels, 3, 1, 1, bias=False)
        model.maxpool = nn.Identity()
    return model


def _has_fixed_size(name: str) -> bool:
    """Whether a backbone is built for one size of images, as timm's ViTs are."""
    if name in ("conv-small", "disco", *_CODES):
        return False
    import timm

    return getattr(timm.get_pretrained_cfg(name), "fixed_input_size", False)


class Encoder(nn.Module):
    """f: normalises images, then runs the backbone.

    Args:
        backbone: "conv-small", "disco" (DisCo's, Table 7: `convolutional_encoder` of raw images), "<timm ResNet>-cifar", any timm
            name, or what a discriminator tells of an InfoGAN's codes (`Codes`): "sngan-", "dcgan-" or "stylegan2-discriminator".
        in_channels: C of the images.
        image_size: Side of the images it is made for; others are resized to it. None takes them as they come, or, for a ViT and
            the like, of timm's size alone.
        outputs: A last linear layer's, such as the codes of a disentangled representation; None for none.
        options: Further arguments of the backbone (`width` of conv-small and disco, or timm's).

    Attributes:
        num_features: D, the size of a representation.

    Raises:
        OptionError: If there is no such backbone, or `outputs` is not positive.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: str = "conv-small",
        in_channels: int = 3,
        image_size: int | None = None,
        outputs: int | None = None,
        **options: Any,
    ):
        super().__init__()
        require_positive(outputs=outputs)
        if image_size and _has_fixed_size(backbone):
            options.setdefault("img_size", image_size)
        self.config = {"backbone": backbone, "in_channels": in_channels, "image_size": image_size, **options}
        if outputs:
            self.config["outputs"] = outputs
        self.image_size = image_size
        if backbone == "conv-small":
            self.backbone: nn.Module = conv_small(in_channels, outputs=outputs, **options)
        elif backbone == "disco":
            self.image_size = self.config["image_size"] = side = image_size or 64
            self.backbone = convolutional_encoder(in_channels, side, outputs or 64, **options)
        elif backbone in _CODES:
            self.image_size = self.config["image_size"] = side = image_size or 64
            self.backbone = Codes(_CODES[backbone], (in_channels, side, side), outputs or 64, **options)
        else:
            self.backbone = timm_backbone(backbone, in_channels, outputs, **options)
        mean, std = MEAN.get(in_channels, [0.5] * in_channels), STD.get(in_channels, [0.25] * in_channels)
        if backbone in ("disco", *_CODES):
            mean, std = [0.0] * in_channels, [1.0] * in_channels
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)
        self.num_features = outputs or self._count_features(in_channels, self.image_size or 32)
        self.to(memory_format=torch.channels_last)  # in which most convolutions are faster

    @torch.no_grad()
    def _count_features(self, in_channels: int, side: int) -> int:
        declared = getattr(self.backbone, "head_hidden_size", None)  # timm's for the width before the classifier
        if isinstance(declared, int):
            return declared
        was_training = self.backbone.training
        features = self.backbone.eval()(torch.zeros(1, in_channels, side, side)).shape[1]
        self.backbone.train(was_training)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] -> (B, num_features); grey images fit every encoder, and a grey encoder sees colours in grey.

        Raises:
            ShapeError: If the images have other channels than the encoder.
        """
        if images.ndim == 4 and images.shape[1] == 3 and len(self.mean) == 1:
            from torchvision.transforms.v2.functional import rgb_to_grayscale  # takes seconds

            images = rgb_to_grayscale(images)
        if images.ndim != 4 or images.shape[1] not in (1, len(self.mean)):
            raise ShapeError(f"the encoder takes images (B, {len(self.mean)}, H, W), got {tuple(images.shape)}; convert them")
        if self.image_size and images.shape[-2:] != (self.image_size, self.image_size):
            images = F.interpolate(images, size=(self.image_size, self.image_size), mode="bilinear", antialias=True)
        return self.backbone((images - self.mean) / self.std)


def projector(
    in_features: int, hidden: int | None = None, out_features: int = 128, layers: int = 2, norm: bool = False
) -> nn.Sequential:
    """The projection head: `layers` Linear layers with ReLU between (SimCLR has 2), (B, in_features) -> (B, out_features).

    With `norm`, BatchNorm stands before each ReLU in place of a bias.
    """
    widths = [in_features, *[hidden or in_features] * (layers - 1)]
    head: list[nn.Module] = []
    for into, out in pairwise(widths):
        head += [nn.Linear(into, out, bias=not norm), *([nn.BatchNorm1d(out)] if norm else []), nn.ReLU()]
    return nn.Sequential(*head, nn.Linear(widths[-1], out_features))
