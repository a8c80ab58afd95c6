"""Encoders on disk: `model.safetensors` holds the backbone's own state dict, `model.json` what it takes to build it."""

from pathlib import Path
from typing import Any

from torch import nn

from ..checkpoints import building, read_model, write_model
from ..errors import CheckpointError
from .backbones import Codes, Encoder
from .original import read_original

CIFAR = "; backbone.conv1, backbone.maxpool = nn.Conv2d({c}, {stem}, 3, 1, 1, bias=False), nn.Identity()"
RESIZE = 'images = nn.functional.interpolate(images, size=({side}, {side}), mode="bilinear", antialias=True)'


def plain_python(encoder: Encoder) -> list[str]:
    """The lines of plain PyTorch from `images` (B, C, H, W) to `features` (B, num_features), written into `model.json`.

    Those of a discriminator's codes take this package.
    """
    if isinstance(encoder.backbone, Codes):
        return ["from genviews.encoders import load", 'features = load(".")(images)']
    options = dict(encoder.config)
    name, c, side = options.pop("backbone"), options.pop("in_channels"), options.pop("image_size")
    if isinstance(encoder.backbone, nn.Sequential):
        build = f"backbone = nn.Sequential({', '.join(f'nn.{layer!r}' for layer in encoder.backbone)})"
    else:
        outputs = options.pop("outputs", 0)
        given = "".join(f", {key}={value!r}" for key, value in options.items())
        build = f'backbone = timm.create_model("{name.removesuffix("-cifar")}", num_classes={outputs}, in_chans={c}{given})'
        if name.endswith("-cifar") and isinstance(stem := encoder.backbone.conv1, nn.Conv2d):
            build += CIFAR.format(c=c, stem=stem.out_channels)
    mean, std = encoder.mean.flatten().tolist(), encoder.std.flatten().tolist()
    return [
        build,
        'backbone.load_state_dict(load_file("model.safetensors")); backbone.eval()',
        *([RESIZE.format(side=side)] if side else []),
        f"features = backbone((images - torch.tensor({mean}).view(-1, 1, 1)) / torch.tensor({std}).view(-1, 1, 1))",
    ]


def save(encoder: Encoder, folder: Path, **facts: Any) -> None:
    """Writes the encoder into `folder`, with `facts` (training options, results) beside the configuration."""
    description = {"kind": "encoder", "config": encoder.config, "num_features": encoder.num_features, **facts}
    write_model(folder, encoder.backbone, **description, python=plain_python(encoder))


def load(folder: Path | str) -> Encoder:
    """Reads what `save` wrote, or a file that was released with COP-Gen, GenRep or DisCo (`read_original`), in eval mode.

    Raises:
        CheckpointError: If the folder lacks the files, or they do not fit each other.
    """
    if Path(folder).is_file():
        return read_original(folder)
    description, weights = read_model(folder)
    if description.get("kind") != "encoder":
        raise CheckpointError(f"{folder} holds a {description.get('kind', 'generator')}, no encoder; name what pretrain wrote")
    with building(folder):
        encoder = Encoder(**description["config"])
        encoder.backbone.load_state_dict(weights)
    return encoder.eval()
