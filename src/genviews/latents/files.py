"""Latent transforms on disk: this project's folders and the files of the papers' authors."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints import building, is_state_dict, module_state, read, read_model, write_model
from ..errors import CheckpointError, OptionError
from ..unpickling import Inert
from .directions import Directions
from .navigator import Navigator
from .steering import Steering
from .transforms import LatentTransform

Parts = tuple[dict[str, Any], dict[str, Tensor]]
"""What makes a transform: its constructor's keyword arguments and its state dict."""

Kind = type[Navigator] | type[Steering] | type[Directions]

_KINDS: dict[str, Kind] = {"navigator": Navigator, "steering": Steering, "directions": Directions}

_WALKS = {
    "walk_color": ("red", "green", "blue"),
    "walk_rot3d": ("rotation_3d",),
    "walk_rot2d": ("rotation_2d",),
    "walk_zoom": ("zoom",),
    "walk_shiftx": ("shift_x",),
    "walk_shifty": ("shift_y",),
    "walk_jit": ("hue",),
}
"""GenRep's name of a walk, (1, D) or (1, D, K) -> its edits."""


def save(transform: LatentTransform | Directions, folder: str | Path) -> None:
    """Writes a learned transform or directions as `model.safetensors` and `model.json`, which `load` opens.

    Raises:
        OptionError: If it has nothing learned to write.
    """
    for kind, cls in _KINDS.items():
        if isinstance(transform, cls):
            return write_model(folder, transform, kind=kind, config=transform.config)
    raise OptionError(f"a {type(transform).__name__} cannot be saved; these can: {', '.join(_KINDS)}")


def load(path: str | Path, kind: type[nn.Module] = nn.Module) -> Any:
    """Opens a latent transform, or directions.

    Args:
        path: A folder by `save`; directions by DisCo's authors: the state dict of an `ortho` or `proj` navigator; a navigator by
            COP-Gen's: `{"nn_walker": ...}`, the pickled module or its state dict, of which no code is run; or walks by GenRep's:
            `walk_color`, `walk_rot3d`, ... become a `Steering` by these edits, `walk_jit` one by hue. The network `walk_rrc`
            beside it is left out, as in GenRep's own formula.
        kind: What it must be: `LatentTransform` or `Directions`; by default either.

    Returns:
        The transform or the directions, frozen and on the CPU.

    Raises:
        CheckpointError: If the file is missing, damaged, or holds no such thing.
        UnsafeFileError: If it would run code when read.
    """
    path = Path(path)
    with building(path):
        cls, (config, state) = _read(path)
        if not issubclass(cls, kind):
            raise CheckpointError(f"{path} holds {cls.__name__}; expected {kind.__name__}")
        transform = cls(**config)
        transform.load_state_dict(state)
    return transform.eval().requires_grad_(False)


def _read(path: Path) -> tuple[Kind, Parts]:
    if path.is_dir():
        description, state = read_model(path)
        if description.get("kind") in _KINDS:
            return _KINDS[description["kind"]], (description["config"], state)
        raise CheckpointError(f"{path} is no latent transform of the kinds {', '.join(_KINDS)}; did you mean another folder?")
    content = read(path)
    if isinstance(content, dict) and "nn_walker" in content:
        return Navigator, _walker(content["nn_walker"])
    if isinstance(content, dict) and content.keys() & _WALKS:
        return Steering, _walks(content)
    if is_state_dict(content) and content.keys() <= {"log_mat_half", "linear.weight", "linear.bias"}:
        return Directions, _directions(content)
    raise CheckpointError(
        f"{path} is no latent transform; pass a folder by save, or a file with COP-Gen's nn_walker, GenRep's walk_zoom or "
        "DisCo's log_mat_half"
    )


def _directions(state: dict[str, Tensor]) -> Parts:
    """Directions' arguments and state dict from those of DisCo's navigators."""
    if "log_mat_half" in state:
        dim = len(state["log_mat_half"])
        return {"dim": dim, "count": dim, "kind": "orthonormal"}, state
    dim, count = state["linear.weight"].shape
    return {"dim": dim, "count": count, "kind": "projective"}, {"linear.bias": torch.zeros(dim)} | state


def _walker(walker: Any) -> Parts:
    """A Navigator's arguments and state dict from those of COP-Gen: `[module.]walker.{0,2}.{weight,bias}`, 0 alone if linear."""
    state = module_state(walker) if isinstance(walker, Inert) else walker
    if not is_state_dict(state):
        raise ValueError("its nn_walker is neither a module nor the state dict of one")
    layers = {name.removeprefix("module.").removeprefix("walker."): tensor for name, tensor in state.items()}
    if "0.weight" not in layers or layers["0.weight"].ndim != 2:
        raise ValueError(f"its nn_walker holds {', '.join(state)}; expected a matrix walker.0.weight and so on")
    hidden, dim = layers["0.weight"].shape
    config = {"dim": dim, "hidden": hidden, "linear": len(layers) == 2}
    return config, {f"walk.{name}": tensor for name, tensor in layers.items()}


def _walks(content: dict[str, Any]) -> Parts:
    """A Steering's arguments and state dict from GenRep's vectors."""
    found = [(edits, content[name]) for name, edits in _WALKS.items() if name in content]
    vectors = torch.cat([walk.detach().float().movedim(1, -1).flatten(0, -2) for _, walk in found])
    return {"dim": vectors.shape[1], "edits": [edit for edits, _ in found for edit in edits]}, {"walks": vectors}
