"""Opening generators: built-in ones, saved ones and public checkpoints; and saving them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_buffer_registration_hook, register_module_parameter_registration_hook

from .. import checkpoints
from ..errors import CheckpointError, OptionError, require_options
from .base import Generator, Parts
from .families import FAMILIES

_FILES = [pattern for family in FAMILIES.values() for pattern in family.files]

_AVERAGES = ("G_ema", "g_ema", "ema")
"""What trainings name the running average of their weights."""

_SMALL = 1 << 20
"""Numbers that any network may have, whatever its file holds."""

_WEIGHTS = files(__package__) / "weights"


def available() -> list[str]:
    """The names of the generators that come with the package."""
    return sorted(folder.name for folder in _WEIGHTS.iterdir() if folder.is_dir())


def load(
    name_or_path: str | Path,
    *,
    truncation: float | None = None,
    instances: Tensor | str | Path | None = None,
    average: bool = True,
    bf16: bool = False,
    channels_last: bool = True,
    **options: Any,
) -> Generator:
    """Opens a generator, whatever family it is of.

    Args:
        name_or_path: One of `available()`, a folder by `save`, or a checkpoint of one of the `FAMILIES`, the file or its folder.
        truncation: psi of `Generator.truncated`.
        instances: Of `Generator.with_instances`, which IC-GAN's images are made after.
        average: Take the running average of the weights where the file of a training has it, and not the weights themselves.
        bf16: Render in bfloat16 where PyTorch's autocast holds it safe; images stay float32.
        channels_last: Keep weights in the memory format in which most convolutions are faster.
        options: Of the family's constructor, instead of what the file says, such as `image_shape` for an `MLPGAN`.

    Returns:
        The generator, frozen and on the CPU.

    Raises:
        CheckpointError: If there is no such generator or its file is damaged or of no known family.
        UnsafeFileError: If the file would run code when read.
    """
    if name_or_path in available():
        with as_file(_WEIGHTS / str(name_or_path)) as folder:
            generator = _open(folder, options, average)
    else:
        generator = _open(Path(name_or_path), options, average)
    if channels_last:
        generator.to(memory_format=torch.channels_last)
    if instances is not None:
        generator = generator.with_instances(instances)
    generator.autocast = bf16
    return generator if truncation is None else generator.truncated(truncation)


def _open(path: Path, options: dict[str, Any], average: bool) -> Generator:
    if not path.exists():
        raise CheckpointError(f"{path} is no file and none of the built-in generators: {', '.join(available())}")
    with checkpoints.building(path):
        family, (config, state) = _read(path, average)
        require_options(family, options)
        with _no_larger_than(state, path):
            generator = family(**(config | options))
        _check(generator, state, path)
        generator.load_state_dict(state)
    return generator.frozen()


@contextmanager
def _no_larger_than(state: dict[str, Tensor], path: Path) -> Iterator[None]:
    """Refuses to build a network much larger than the weights there are for it, before it has filled the memory."""
    thread, sizes, spare = get_ident(), Counter[tuple[int, str]](), 2 * sum(t.numel() for t in state.values()) + _SMALL

    def count(module: nn.Module, name: str, tensor: Tensor | None) -> None:
        nonlocal spare
        if tensor is None or get_ident() != thread:
            return
        key, size = (id(module), name), tensor.numel() + 1
        spare, sizes[key] = spare - size + sizes[key], size  # a module may set a buffer again and again
        if spare < 0:
            raise CheckpointError(
                f"{path} describes a larger network than it has weights for; it is damaged or an option is wrong"
            )

    hooks = register_module_parameter_registration_hook(count), register_module_buffer_registration_hook(count)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _read(path: Path, average: bool) -> tuple[type[Generator], Parts]:
    theirs = (file for pattern in _FILES for file in sorted(path.glob(pattern), reverse=True))
    if path.is_dir() and ((path / "model.json").exists() or not (path := next(theirs, path)).is_file()):
        description, state = checkpoints.read_model(path)
        if description.get("family") in FAMILIES:
            return FAMILIES[description["family"]], (description["config"], state)
        raise CheckpointError(f"{path} is no generator of the families {', '.join(FAMILIES)}; name a folder by `save`")
    content = checkpoints.read(path)
    if isinstance(content, dict) and not average:
        content = {name: value for name, value in content.items() if name not in _AVERAGES}
    for candidate in _candidates(content):
        for family in FAMILIES.values():
            if parts := family.recognise(candidate, path):
                return family, parts
    raise CheckpointError(f"{path} is {_what(content)}; build the module yourself and wrap it")


def _candidates(content: Any) -> Iterator[Any]:
    """The content, else the state dicts in it, without the prefix of DataParallel."""
    yield _unprefixed(content)
    if isinstance(content, dict):
        yield from map(_unprefixed, filter(checkpoints.is_state_dict, content.values()))


def _unprefixed(content: Any) -> Any:
    if checkpoints.is_state_dict(content) and all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): tensor for name, tensor in content.items()}
    return content


def _what(content: Any) -> str:
    """What a file that holds no generator seems to hold."""
    if isinstance(content, dict) and any(_is_optimizer(value) for value in (content, *content.values())):
        return "the state of an optimizer, without the weights of a generator"
    for state in filter(checkpoints.is_state_dict, _candidates(content)):
        for family in FAMILIES.values():
            missing = family.telltales - state.keys()
            if 2 * len(missing) < len(family.telltales):
                return f"a {family.__name__} by its looks, but lacks {min(missing, default='a part')}"
    if checkpoints.is_state_dict(content):
        tensors = content.values()
        sees_images = all(t.ndim <= 2 for t in tensors) or any(t.ndim == 4 and t.shape[1] <= 4 for t in tensors)
        score = next((name for name, tensor in content.items() if tensor.ndim > 1 and len(tensor) == 1), None)
        if sees_images and score:
            return f"a discriminator by its looks, for {score} makes one number of an image"
    return f"no generator of the families {', '.join(FAMILIES)}"


def _is_optimizer(content: Any) -> bool:
    return isinstance(content, dict) and {"state", "param_groups"} <= content.keys()


def _check(generator: Generator, state: dict[str, Tensor], path: Path) -> None:
    """Refuses a state dict that lacks tensors, has other ones, or has them in other sizes; names the first of each."""
    own = generator.state_dict()
    family = type(generator).__name__
    for problem, names in (("lacks", own.keys() - state.keys()), ("has, besides what belongs to it,", state.keys() - own.keys())):
        if names:
            rest = f" and {len(names) - 1} more" if len(names) > 1 else ""
            name = generator.original_name(min(names))
            raise CheckpointError(f"{path}, a {family} by its looks, {problem} {name}{rest}; it is damaged or of another family")
    for name, tensor in own.items():
        if tensor.shape != state[name].shape:
            sizes = f"{tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
            raise CheckpointError(
                f"{path}, a {family} by its looks, has {generator.original_name(name)} {sizes}; "
                "it is damaged or an option is wrong"
            )


def save(generator: Generator, folder: str | Path) -> None:
    """Writes a generator as `model.safetensors` and `model.json`, which `load` opens; its truncation and bf16 are not kept.

    Raises:
        OptionError: If it is of no family in `FAMILIES`, as a wrapped module is.
    """
    names = {cls: name for name, cls in FAMILIES.items()}
    if type(generator) not in names:
        raise OptionError(f"a {type(generator).__name__} cannot be saved; these can: {', '.join(FAMILIES)}")
    checkpoints.write_model(folder, generator, family=names[type(generator)], config=generator.config)
