"""Encoders on disk: `model.safetensors` holds the backbone's own state dict, `model.json` what it takes to build it."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ..errors import CheckpointError
from .backbones import Encoder

CONV_SMALL = (
    "backbone = nn.Sequential(*(m for i, o in (({c}, {w}), ({w}, {w2}), ({w2}, {w4})) for m in "
    "(nn.Conv2d(i, o, 3, 2, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU())), nn.AdaptiveAvgPool2d(1), nn.Flatten())"
)
CIFAR = "; backbone.conv1, backbone.maxpool = nn.Conv2d({c}, {stem}, 3, 1, 1, bias=False), nn.Identity()"


def plain_python(encoder: Encoder) -> list[str]:
    """The lines of plain PyTorch that rebuild the backbone from its two files, written into `model.json`."""
    name, c = encoder.config["backbone"], encoder.config["in_channels"]
    if name == "conv-small":
        w = encoder.num_features // 4
        build = CONV_SMALL.format(c=c, w=w, w2=2 * w, w4=4 * w)
    else:
        build = f'backbone = timm.create_model("{name.removesuffix("-cifar")}", num_classes=0, in_chans={c})'
        if name.endswith("-cifar") and isinstance(stem := encoder.backbone.conv1, nn.Conv2d):
            build += CIFAR.format(c=c, stem=stem.out_channels)
    mean, std = encoder.mean.flatten().tolist(), encoder.std.flatten().tolist()
    return [
        build,
        'backbone.load_state_dict(load_file("model.safetensors")); backbone.eval()',
        f"features = backbone((images - torch.tensor({mean}).view(-1, 1, 1)) / torch.tensor({std}).view(-1, 1, 1))",
    ]


def save(encoder: Encoder, folder: Path, **facts: Any) -> Path:
    """Writes the encoder into `folder`, with `facts` (training options, results) beside the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in encoder.backbone.state_dict().items()}, folder / "model.safetensors")
    description = {"kind": "encoder", "config": encoder.config, "num_features": encoder.num_features, **facts}
    (folder / "model.json").write_text(json.dumps(description | {"python": plain_python(encoder)}, indent=2))
    return folder


def load(folder: Path | str) -> Encoder:
    """Reads an encoder that `save` wrote, in eval mode.

    Raises:
        CheckpointError: If the folder lacks the files, or they do not fit each other.
    """
    folder = Path(folder)
    try:
        description = json.loads((folder / "model.json").read_text())
        encoder = Encoder(**description["config"])
        encoder.backbone.load_state_dict(load_file(folder / "model.safetensors"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder} holds no encoder: {error.filename} is missing; pass the folder that pretrain wrote") from None
    except (SafetensorError, json.JSONDecodeError, KeyError, RuntimeError) as error:
        raise CheckpointError(f"{folder} holds no readable encoder ({str(error).splitlines()[0]}); export it again") from None
    return encoder.eval()
