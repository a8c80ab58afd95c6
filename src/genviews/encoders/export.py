"""Encoders for other libraries: a ResNet's weights by the names that torchvision, timm or detectron2 give them."""

import re
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ..errors import OptionError
from .backbones import Encoder

Layout = Literal["torchvision", "timm", "detectron2"]

RESNET = re.compile(r"(conv1|bn1|layer[1-4]\.\d+\.(conv[1-3]|bn[1-3]|downsample\.[01]))\.\w+")
"""The names of a ResNet's weights, which torchvision and timm share."""


def export(encoder: Encoder, path: Path, layout: Layout = "torchvision") -> None:
    """Writes a ResNet encoder's weights, without a classifier, for one line of another library to load.

        torchvision.models.resnet50().load_state_dict(torch.load(path), strict=False)       # lacks fc alone
        timm.create_model("resnet50", num_classes=0).load_state_dict(torch.load(path))
        train_net.py --config-file ... MODEL.WEIGHTS path                                   # detectron2

    The images are to be normalised as the encoder does it: RGB in [0, 1], ImageNet's mean and std if it is one of colour. In
    detectron2 that is INPUT.FORMAT "RGB", MODEL.PIXEL_MEAN [123.675, 116.28, 103.53], MODEL.PIXEL_STD [58.395, 57.12, 57.375] and
    MODEL.RESNETS.STRIDE_IN_1X1 False. A -cifar encoder fits where conv1 and maxpool are replaced as its `model.json` says.

    Args:
        encoder: f; its backbone a ResNet, or anything for "timm".
        path: The file; for detectron2 its name must end in .pth.
        layout: Whose names.

    Raises:
        OptionError: If the backbone is no ResNet, or the file would be no .pth for detectron2.
    """
    weights = {name: tensor.cpu() for name, tensor in encoder.backbone.state_dict().items()}
    odd = next((name for name in weights if not RESNET.fullmatch(name)), None)
    if odd and layout != "timm":
        backbone = encoder.config["backbone"]
        raise OptionError(f"backbone {backbone!r} has {odd}, which {layout}'s ResNets lack; its own layout is 'timm'")
    if layout == "detectron2" and path.suffix != ".pth":
        raise OptionError(f"{path} would not be read by detectron2; name a .pth file")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:  # whose errors are OSErrors, as torch.save's of a path are not
        torch.save(_detectron2(weights) if layout == "detectron2" else weights, file)


def _detectron2(weights: dict[str, Tensor]) -> dict[str, Any]:
    """What detectron2 matches with whatever model its configuration makes."""
    model = {}
    for name, tensor in weights.items():
        name = name if name.startswith("layer") else f"stem.{name}"
        name = re.sub(r"layer(\d)", lambda layer: f"res{int(layer[1]) + 1}", name)
        name = re.sub(r"bn(\d)", r"conv\1.norm", name)
        model[name.replace("downsample.0", "shortcut").replace("downsample.1", "shortcut.norm")] = tensor
    return {"model": model, "__author__": "genviews", "matching_heuristics": True}
