"""The projector of a pretrained encoder on disk: the space in which its loss compared images."""

from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoints import building, read_model, write_model
from .files import load

FOLDER = "projector"
"""Of an encoder's folder, where its projector is."""

LAYERS: dict[str, tuple[str, ...]] = {
    "Linear": ("in_features", "out_features", "bias"),
    "BatchNorm1d": ("num_features", "affine"),
    "ReLU": (),
}
"""What a projector is made of, and the attributes that build each again."""


class Embedder(nn.Module):
    """Images -> embeddings: an encoder, its projector, and the l2-norm.

    Args:
        encoder: float32 images (B, C, H, W) in [0, 1] -> representations (B, D).
        projector: Representations -> embeddings (B, P); None takes the representations themselves.
    """

    def __init__(self, encoder: nn.Module, projector: nn.Module | None = None):
        super().__init__()
        self.encoder, self.projector = encoder, projector or nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """float32 (B, C, H, W) in [0, 1] -> (B, P), of length 1."""
        return F.normalize(self.projector(self.encoder(images)).float(), dim=1)


def save_projector(projector: nn.Sequential, folder: Path) -> None:
    """Writes the projector of the encoder in `folder` beside it."""
    layers = [{"kind": type(layer).__name__} | _arguments(layer) for layer in projector]
    write_model(folder / FOLDER, projector, kind="projector", config={"layers": layers})


def embedder(folder: Path | str) -> Embedder:
    """The encoder of a folder with its projector, or alone where none was kept; in eval mode, without gradients to the weights.

    Raises:
        CheckpointError: If there is no encoder, or its files do not fit each other.
    """
    encoder, path = load(folder), Path(folder) / FOLDER
    if not path.is_dir():
        return Embedder(encoder).eval().requires_grad_(False)
    description, weights = read_model(path)
    with building(path):
        layers = [dict(layer) for layer in description["config"]["layers"]]
        projector = nn.Sequential(*(_layer(layer.pop("kind"), layer) for layer in layers))
        projector.load_state_dict(weights)
    return Embedder(encoder, projector).eval().requires_grad_(False)


def _arguments(layer: nn.Module) -> dict[str, Any]:
    found = {name: getattr(layer, name) for name in LAYERS[type(layer).__name__]}
    return {name: value is not None if name == "bias" else value for name, value in found.items()}


def _layer(kind: str, arguments: dict[str, Any]) -> nn.Module:
    return {name: getattr(nn, name) for name in LAYERS}[kind](**arguments)
