"""Features by which sets of images are compared: what an FID or an inception score stands on."""

import io
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoints import building, is_state_dict, read, read_model, write_model
from ..errors import CheckpointError, ShapeError
from .backbones import Encoder
from .files import load


class Features(nn.Module):
    """An encoder with a name and, where it is a classifier, its last layer.

    Args:
        name: Printed with every number that stands on these features.
        body: float32 images (B, C, H, W) in [0, 1] -> features (B, D).
        head: Features (B, D) -> logits (B, K); None if it is no classifier.
    """

    def __init__(self, name: str, body: nn.Module, head: nn.Linear | None = None):
        super().__init__()
        self.name = name
        self.body: Any = body
        self.head: Any = head

    def forward(self, images: Tensor) -> Tensor:
        """float32 images (B, C, H, W) in [0, 1] -> features (B, D)."""
        return self.body(images)


class LeNet(nn.Module):
    """LeNet-5 (LeCun et al. 1998) with ReLU and max-pooling, as github.com/csinva/gan-vae-pretrained-pytorch trained it on MNIST.

    It takes grey images in [0, 1], resized to 32 px; its features are the 84 before the classes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convnet = nn.Sequential(
            OrderedDict(
                c1=nn.Conv2d(1, 6, 5),
                relu1=nn.ReLU(),
                s2=nn.MaxPool2d(2),
                c3=nn.Conv2d(6, 16, 5),
                relu3=nn.ReLU(),
                s4=nn.MaxPool2d(2),
                c5=nn.Conv2d(16, 120, 5),
                relu5=nn.ReLU(),
            )
        )
        self.fc: Any = nn.Sequential(OrderedDict(f6=nn.Linear(120, 84), relu6=nn.ReLU(), f7=nn.Linear(84, 10)))

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1] != 1:
            raise ShapeError(f"LeNet takes grey images (B, 1, H, W), got {tuple(images.shape)}; choose other features")
        images = F.interpolate(images, (32, 32), mode="bilinear", antialias=True)
        return self.fc.f6(self.convnet(images).flatten(1)).relu()


class Inception(nn.Module):
    """The InceptionV3 of the FID (Heusel et al. 2017), torch-fidelity's: grey or RGB images of any size -> 2048 features."""

    def __init__(self, weights: dict[str, Tensor]):
        super().__init__()
        from torch_fidelity import FeatureExtractorInceptionV3  # takes seconds

        file = io.BytesIO()  # it would run code of a file that was not read already
        torch.save(weights, file)
        file.seek(0)
        self.network = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=file)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1] not in (1, 3):
            raise ShapeError(f"Inception takes grey or RGB images, got {tuple(images.shape)}; choose other features")
        (features,) = self.network((images.clamp(0, 1) * 255).round().to(torch.uint8).expand(-1, 3, -1, -1))
        return features


def features(path: Path | str) -> Features:
    """Opens features.

    Args:
        path: FID's InceptionV3 (`pt_inception-2015-12-05-6726825d.pth`, which pytorch-fid and torch-fidelity share); the LeNet of
            github.com/csinva/gan-vae-pretrained-pytorch; or the folder of an encoder or of a `classifier`.

    Returns:
        In eval mode and without gradients to the weights.

    Raises:
        CheckpointError: If there are no such features or their file is damaged.
        UnsafeFileError: If the file would run code when read.
    """
    path = Path(path)
    return (_folder(path) if path.is_dir() else _file(path)).eval().requires_grad_(False)


def _folder(path: Path) -> Features:
    description, weights = read_model(path)
    if description.get("kind") != "classifier":
        encoder = load(path)
        return Features(f"{encoder.config['backbone']} encoder {path}", encoder)
    with building(path):
        found = classifier(description["config"], description["classes"], description["name"])
        found.load_state_dict(weights)
    return found


def _file(path: Path) -> Features:
    content = read(path)
    names = content.keys() if is_state_dict(content) else ()
    with building(path):
        if "convnet.c1.weight" in names:
            lenet = LeNet()
            lenet.load_state_dict(content)
            return Features(f"LeNet {path.name}", lenet, lenet.fc.f7)
        if "Conv2d_1a_3x3.conv.weight" in names:
            inception = Inception(content)
            head = nn.Linear(
                2048, 1008, bias=False
            )  # torch-fidelity's "logits_unbiased", by which inception scores are published
            head.weight = inception.network.fc.weight
            return Features("InceptionV3", inception, head)
    raise CheckpointError(f"{path} holds no features; give FID's InceptionV3, the LeNet of MNIST, or the folder of an encoder")


def classifier(config: dict[str, Any], classes: int, name: str = "classifier") -> Features:
    """An untrained classifier: `Encoder(**config)` and a linear layer to the logits (B, classes)."""
    encoder = Encoder(**config)
    return Features(name, encoder, nn.Linear(encoder.num_features, classes))


def save_classifier(found: Features, folder: Path) -> None:
    """Writes a trained `classifier` for `features` to open."""
    classes = found.head.out_features
    write_model(folder, found, kind="classifier", name=found.name, config=found.body.config, classes=classes)
