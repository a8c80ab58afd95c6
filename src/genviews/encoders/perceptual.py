"""Features by which a reconstruction is compared with its image."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoints import building, is_state_dict, read
from ..errors import CheckpointError, OptionError, ShapeError
from .backbones import MEAN, STD
from .features import Inception, features
from .heads import Embedder

WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512)
"""Channels of VGG16's convolutions (Simonyan & Zisserman 2015, D) as far as relu4_3; 0 halves the image."""

CAFFE = 255 * sum(STD[3]) / 3
"""Grey values in a unit of torchvision's images; Caffe's VGG16, for which Zhu et al. (2020) chose their weight, takes these."""


class VGG16(nn.Module):
    """VGG16 with torchvision's weights as far as relu4_3: RGB or grey images (B, C, H, W) in [0, 1] -> features (B, F).

    The squared distance of two images' features is the mean squared difference of their activations, at the scale of Caffe's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in WIDTHS:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
            channels = width or channels
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(MEAN[3]).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD[3]).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1] not in (1, 3) or min(images.shape[-2:]) < 8:
            raise ShapeError(f"VGG16 takes grey or RGB images of 8 pixels or more, got {tuple(images.shape)}; choose an encoder")
        activations = self.features((images - self.mean) / self.std).flatten(1)
        return activations * (CAFFE / math.sqrt(activations.shape[1]))


class Perceptual(nn.Module):
    """The perceptual term of a reconstruction.

    Args:
        name: Said with every result that stands on it.
        body: float32 images (B, C, H, W) in [0, 1] -> features (B, F), whose squared distance counts.
        weight: Of that distance beside the mean squared error of images in [-1, 1].
    """

    def __init__(self, name: str, body: nn.Module, weight: float):
        super().__init__()
        self.name, self.body, self.weight = name, body, weight
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """float32 (B, C, H, W) in [0, 1] -> (B, F)."""
        return self.body(images)


def perceptual(name_or_path: str | Path) -> Perceptual:
    """Opens perceptual features; nothing is downloaded.

    Args:
        name_or_path: "vgg16", whose weights torchvision keeps in PyTorch's cache, or their file: the activations relu4_3 with the
            weight 5e-5 of In-Domain GAN inversion (Zhu et al. 2020). Or what `features` opens (the folder of an encoder or a
            classifier, the LeNet of MNIST): representations of unit length with the weight 0.1, a choice of this project.

    Raises:
        CheckpointError: If there are no such features or their file is damaged.
        OptionError: If they have no gradient.
        UnsafeFileError: If the file would run code when read.
    """
    path = Path(name_or_path)
    if str(name_or_path) == "vgg16":
        path = Path(torch.hub.get_dir()) / "checkpoints" / "vgg16-397923af.pth"
        if not path.exists():
            raise CheckpointError(f"{path} is missing; put torchvision's VGG16 there, name its file, or an encoder's folder")
    content = read(path) if path.is_file() else None
    if is_state_dict(content) and "features.21.weight" in content:
        body = VGG16()
        with building(path):
            body.load_state_dict({name: content[name] for name in body.state_dict()})
        return Perceptual(f"VGG16 relu4_3 ({path.name})", body, weight=5e-5)
    found = features(path)
    if isinstance(found.body, Inception):
        raise OptionError(f"{path} has no gradient, for it takes whole grey values; name VGG16 or an encoder")
    return Perceptual(f"representation of {found.name}", Embedder(found), weight=0.1)
