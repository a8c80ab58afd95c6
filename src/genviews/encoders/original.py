"""Encoders that the authors of COP-Gen, GenRep and DisCo released."""

from pathlib import Path

from torch import Tensor

from ..checkpoints import building, is_state_dict, read
from ..errors import CheckpointError
from .backbones import Encoder

RESNETS: dict[tuple[int, ...], str] = {
    (False, 2, 2, 2, 2): "resnet18",
    (False, 3, 4, 6, 3): "resnet34",
    (True, 3, 4, 6, 3): "resnet50",
    (True, 3, 4, 23, 3): "resnet101",
}
"""By whether a block has three convolutions, and how many blocks each stage has."""

NAMES = {"stem.0.": "conv1.", "stem.1.": "bn1.", "shortcut.": "downsample."}
"""Theirs and torchvision's."""


def read_original(path: Path | str) -> Encoder:
    """Reads an encoder of github.com/LiYinqi/COP-Gen, github.com/ali-design/GenRep or github.com/xrenaa/DisCo.

    Args:
        path: A file by torch.save: of a ResNet `{"opt": ..., "model": state dict, ...}`, whose names are
            `encoder.[module.]stem.0.weight` and so on, read without its projection head, trained on colour images of more than
            32 px, which are the ones that were normalised as ours are; DisCo's is the state dict `encoder.0.weight` and so on.

    Returns:
        In eval mode.

    Raises:
        CheckpointError: If there is no such encoder in it, or it is damaged.
        UnsafeFileError: If the file would run code when read.
    """
    content = read(path)
    if is_state_dict(content) and "encoder.0.weight" in content:
        return _disco(path, content)
    theirs = content.get("model") if isinstance(content, dict) else None
    stem = next((name for name in theirs if name.endswith("stem.0.weight")), None) if is_state_dict(theirs) else None
    if not is_state_dict(theirs) or stem is None:
        raise CheckpointError(f"{path} holds no encoder of COP-Gen, GenRep or DisCo; name one, or a folder that pretrain wrote")
    if theirs[stem].shape[1:] != (3, 7, 7):
        raise CheckpointError(f"{path} is of MNIST or CIFAR-10, whose images were normalised in another way; pretrain a new one")
    prefix = stem.removesuffix("stem.0.weight")
    weights = {}
    for name, tensor in theirs.items():
        if name.startswith(prefix) and not name.startswith("head."):
            name = name.removeprefix(prefix)
            for theirs_is, ours in NAMES.items():
                name = name.replace(theirs_is, ours)
            weights[name] = tensor
    blocks = [len({name.split(".")[1] for name in weights if name.startswith(f"layer{stage}.")}) for stage in (1, 2, 3, 4)]
    with building(path):
        encoder = Encoder(RESNETS[("layer1.0.conv3.weight" in weights, *blocks)])
        encoder.backbone.load_state_dict(weights)
    return encoder.eval()


def _disco(path: Path | str, theirs: dict[str, Tensor]) -> Encoder:
    """DisCo's encoder of its state dict, whose shapes tell the images' channels and size, the width and the codes."""
    with building(path):
        weights = {name.removeprefix("encoder."): tensor for name, tensor in theirs.items()}
        width, colours, *_ = weights["0.weight"].shape
        matrices = [tensor for tensor in weights.values() if tensor.ndim == 2]
        size = 2 << sum(tensor.ndim == 4 for tensor in weights.values())
        encoder = Encoder("disco", colours, size, len(matrices[-1]), width=width)
        encoder.backbone.load_state_dict(weights)
    return encoder.eval()
