"""Reading other people's files without running them, and the folders in which this project keeps models."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeGuard

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from . import unpickling
from .errors import CheckpointError, GenviewsError, RunError, UnsafeFileError
from .unpickling import Inert

_MAX_MODULES = 100_000


def read(path: str | Path) -> Any:
    """The content of a checkpoint, its tensors on the CPU, without running any code of the file.

    Args:
        path: A safetensors file, a file by torch.save (today's zip or the format before PyTorch 1.6), one by np.save or a pickle;
            its content tells which, not its name.

    Returns:
        What was saved. Objects of classes that are not plain data are `Inert`; see `module_state`.

    Raises:
        CheckpointError: If the file is missing, empty, truncated or no checkpoint.
        UnsafeFileError: If it would run code; the message names what it would call.
    """
    path = _existing(path)
    with path.open("rb") as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise CheckpointError(
            f"{path} is a web page; the download asked for something first, so fetch the file itself in a browser"
        )
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path} only points to a file in Git LFS; run `git lfs pull` where it comes from")
    if not _is_safetensors(path):
        return read_pickle(path)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file ({error}); download it again") from None


def _is_safetensors(path: Path) -> bool:
    """Whether it begins with the length, in eight bytes, of the JSON object that follows."""
    with path.open("rb") as file:
        length, first = int.from_bytes(file.read(8), "little"), file.read(1)
    return first == b"{" and length < path.stat().st_size


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


def is_state_dict(content: Any) -> TypeGuard[dict[str, Tensor]]:
    """Whether it holds tensors by their names and nothing else."""
    return isinstance(content, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items())


def module_state(module: Inert) -> dict[str, Tensor]:
    """The state dict of a pickled nn.Module that was read as `Inert`: the names and tensors its `state_dict()` would have.

    Raises:
        CheckpointError: If it holds no module, or one that contains itself or too many.
    """
    origin = getattr(module, "origin", type(module).__name__)
    try:
        state = dict(_tensors(module, "", count()))
    except RecursionError:
        raise CheckpointError(f"{origin} contains itself; it has no state dict") from None
    if not is_state_dict(state):
        raise CheckpointError(f"{origin} has parameters or buffers that are no tensors; it has no state dict")
    return state


def _tensors(module: Inert, prefix: str, seen: Iterator[int]) -> Iterator[tuple[str, Any]]:
    """The parameters and buffers of a module and of those in it, each as often as it is met, by their names."""
    attributes = module.state if isinstance(module, Inert) and isinstance(module.state, dict) else {}
    parts: list[Any] = [attributes.get(name) for name in ("_parameters", "_buffers", "_modules")]
    if not all(isinstance(part, dict) for part in parts):
        raise CheckpointError(f"{getattr(module, 'origin', type(module).__name__)} is no pickled nn.Module; it has no weights")
    if next(seen) > _MAX_MODULES:
        raise CheckpointError(
            f"{module.origin} at {prefix[:40]} is one of more than {_MAX_MODULES} modules; no network has so many"
        )
    parameters, buffers, children = parts
    transient = attributes.get("_non_persistent_buffers_set", ())
    for name, own in (parameters | buffers).items():
        if own is not None and name not in transient:
            yield f"{prefix}{name}", own
    for name, child in children.items():
        if child is not None:
            yield from _tensors(child, f"{prefix}{name}.", seen)


@contextmanager
def building(path: str | Path) -> Iterator[None]:
    """Around the making of a model from a file's content: what wrong content makes it raise becomes a CheckpointError."""
    try:
        yield
    except GenviewsError as error:
        raise error if str(path) in str(error) else type(error)(f"{path} cannot be read: {error}") from None
    except KeyError as error:
        raise CheckpointError(f"{path} lacks {error}; it is damaged or of another kind") from None
    except (ArithmeticError, RuntimeError, TypeError, ValueError, LookupError, AttributeError) as error:
        reason = " ".join(str(error).split())[:400] or type(error).__name__  # of some, PyTorch tells the whole C++ stack
        raise CheckpointError(f"{path} does not fit what it says it is: {reason}") from None


def write_model(folder: str | Path, model: nn.Module, **description: Any) -> None:
    """Writes `model.safetensors`, the model's state dict, and `model.json`, the description: what it is and how to build it.

    Raises:
        RunError: If the folder cannot be written (a full disk).
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / "model.safetensors", model.state_dict())
        write_text(folder / "model.json", json.dumps(description, indent=2) + "\n")
    except OSError as error:
        raise RunError(f"{folder} cannot be written ({error.strerror}); make room or choose another folder") from None


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Writes a safetensors file whole or, if interrupted, not at all."""
    _write(path, save({name: tensor.contiguous() for name, tensor in tensors.items()}))


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or, if interrupted, not at all."""
    _write(path, text.encode())


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)


def read_model(folder: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The description, its `config` a dict, and the state dict that `write_model` wrote.

    Raises:
        CheckpointError: If either file is missing or damaged.
    """
    path = Path(folder) / "model.json"
    description = read_json(path)
    if not isinstance(description.get("config"), dict):
        raise CheckpointError(f"{path} describes no model, for it has no config; write the model again")
    return description, read(Path(folder) / "model.safetensors")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        CheckpointError: If it is missing, empty, damaged or holds something else.
    """
    try:
        content = json.loads(_existing(path).read_text())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no JSON ({error}); download or write it again") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no JSON object; download or write it again")
    return content


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path} is {'a folder' if path.is_dir() else 'missing'}; give the path of a checkpoint file")
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path} is empty; download it again")
    return path
