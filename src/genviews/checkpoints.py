"""Reading other people's files without running them, and the folders in which this project keeps models."""

import json
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from . import unpickling
from .errors import CheckpointError, UnsafeFileError
from .unpickling import Inert


def read(path: str | Path) -> Any:
    """The content of a checkpoint, its tensors on the CPU, without running any code of the file.

    Args:
        path: A .safetensors file, a file by torch.save (today's zip or the format before PyTorch 1.6) or a pickle.

    Returns:
        What was saved. Objects of classes that PyTorch does not count as plain data are `Inert`; see `module_state`.

    Raises:
        CheckpointError: If the file is missing, empty, truncated or no checkpoint.
        UnsafeFileError: If it would run code; the message names what it would call.
    """
    path = _existing(path)
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise CheckpointError(f"{path} is truncated or no safetensors file ({error}); download it again") from None
    with suppress(Exception), warnings.catch_warnings(action="ignore"):
        return torch.load(path, map_location="cpu", weights_only=True)
    return read_pickle(path)  # which reads what PyTorch's reader refuses, or says what is wrong with it


def read_pickle(path: str | Path) -> Any:
    """The content of a pickle of plain containers, numbers, numpy arrays and tensors, under the rules of `read`.

    Raises:
        CheckpointError: If the file is missing, empty, truncated or no pickle.
        UnsafeFileError: If it would run code; the message names what it would call.
    """
    path = _existing(path)
    try:
        with path.open("rb") as file:
            return unpickling.read(file)
    except UnsafeFileError as error:
        raise UnsafeFileError(f"{path} {error}") from None
    except Exception as error:  # bytes that are no pickle can make the unpickler raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"{path} is truncated or no checkpoint ({reason}); download it again or check the path") from None


def module_state(module: Inert) -> dict[str, Tensor]:
    """The state dict of a pickled nn.Module that was read as `Inert`: the names and tensors its `state_dict()` would have.

    Raises:
        CheckpointError: If it holds no module.
    """
    state = module.state if isinstance(module, Inert) else None
    if not isinstance(state, dict) or not {"_parameters", "_buffers", "_modules"} <= state.keys():
        raise CheckpointError(f"{getattr(module, 'origin', type(module).__name__)} is no pickled nn.Module; it has no weights")
    tensors = {name: tensor for name, tensor in (state["_parameters"] | state["_buffers"]).items() if tensor is not None}
    for name, child in state["_modules"].items():
        if child is not None:
            tensors |= {f"{name}.{inner}": tensor for inner, tensor in module_state(child).items()}
    return tensors


def write_model(folder: str | Path, model: nn.Module, **description: Any) -> None:
    """Writes `model.safetensors`, the model's state dict, and `model.json`, the description: what it is and how to build it."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "model.safetensors.partial"
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, partial)
    partial.chmod(0o644)
    partial.replace(folder / "model.safetensors")
    write_text(folder / "model.json", json.dumps(description, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or, if interrupted, not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.replace(path)


def read_model(folder: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The description and the state dict that `write_model` wrote.

    Raises:
        CheckpointError: If either file is missing or damaged.
    """
    description = _existing(Path(folder) / "model.json")
    try:
        return json.loads(description.read_text()), read(Path(folder) / "model.safetensors")
    except ValueError as error:
        raise CheckpointError(f"{description} is no JSON ({error}); write the model again") from None


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path} is {'a folder' if path.is_dir() else 'missing'}; give the path of a checkpoint file")
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path} is empty; download it again")
    return path
