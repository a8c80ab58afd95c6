"""Latent transforms on disk: this project's folders and the files of the papers' authors."""

from pathlib import Path
from typing import Any

from torch import Tensor

from ..checkpoints import module_state, read, read_model, write_model
from ..errors import CheckpointError, OptionError
from ..unpickling import Inert
from .navigator import Navigator
from .transforms import LatentTransform

_KINDS: dict[str, type[Navigator]] = {"navigator": Navigator}


def save(transform: LatentTransform, folder: str | Path) -> None:
    """Writes a learned transform as `model.safetensors` and `model.json`, which `load` opens.

    Raises:
        OptionError: If it has nothing learned to write.
    """
    for kind, cls in _KINDS.items():
        if isinstance(transform, cls):
            return write_model(folder, transform, kind=kind, config=transform.config)
    raise OptionError(f"a {type(transform).__name__} cannot be saved; these can: {', '.join(_KINDS)}")


def load(path: str | Path) -> LatentTransform:
    """Opens a latent transform.

    Args:
        path: A folder by `save`, or a navigator by COP-Gen's authors: `{"nn_walker": ...}`, the pickled module
            or its state dict, of which no code is run.

    Returns:
        The transform in eval mode, on the CPU.

    Raises:
        CheckpointError: If the file is missing, damaged or no known transform.
        UnsafeFileError: If it would run code when read.
    """
    path = Path(path)
    if path.is_dir():
        description, state = read_model(path)
        cls, config = _KINDS.get(description.get("kind", "")), description.get("config", {})
        if cls is None:
            raise CheckpointError(f"{path} is no latent transform of the kinds {', '.join(_KINDS)}; did you mean another folder?")
    else:
        content = read(path)
        if not isinstance(content, dict) or "nn_walker" not in content:
            raise CheckpointError(f"{path} is no latent transform; pass a folder by save or a file with COP-Gen's nn_walker")
        cls, (config, state) = Navigator, _walker(content["nn_walker"])
    transform = cls(**config)
    try:
        transform.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit {cls.__name__}: {' '.join(str(error).split())}") from None
    return transform.eval()


def _walker(walker: Inert | dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A Navigator's arguments and state dict from those of COP-Gen: `[module.]walker.{0,2}.{weight,bias}`, 0 alone if linear."""
    state = module_state(walker) if isinstance(walker, Inert) else walker
    layers = {name.removeprefix("module.").removeprefix("walker."): tensor for name, tensor in state.items()}
    if "0.weight" not in layers:
        raise CheckpointError(f"the nn_walker holds {', '.join(state)}; expected walker.0.weight and so on")
    hidden, dim = layers["0.weight"].shape
    config = {"dim": dim, "hidden": hidden, "linear": len(layers) == 2}
    return config, {f"walk.{name}": tensor for name, tensor in layers.items()}
