"""Generators G: latents -> images. `load` opens built-in ones, saved ones and public checkpoints; `wrap` takes any module."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from .. import checkpoints
from ..errors import CheckpointError, OptionError
from .base import Generator, Parts, wrap
from .burgess_vae import BurgessVAE
from .mlp_gan import MLPGAN
from .realnvp import RealNVP

__all__ = ["FAMILIES", "MLPGAN", "BurgessVAE", "Generator", "RealNVP", "available", "load", "save", "wrap"]

FAMILIES: dict[str, type[Generator]] = {
    "realnvp": RealNVP,
    "burgess_vae": BurgessVAE,
    "mlp_gan": MLPGAN,
}

_WEIGHTS = files(__package__) / "weights"


def available() -> list[str]:
    """The names of the generators that come with the package."""
    return sorted(folder.name for folder in _WEIGHTS.iterdir() if folder.is_dir())


def load(name_or_path: str | Path, **options: Any) -> Generator:
    """Opens a generator, whatever family it is of.

    Args:
        name_or_path: One of `available()`, a folder by `save`, or a checkpoint file of one of the `FAMILIES`.
        options: Of the family's constructor, instead of what the file says, such as `image_shape` for an `MLPGAN`.

    Returns:
        The generator, frozen and on the CPU.

    Raises:
        CheckpointError: If there is no such generator or its file is damaged or of no known family.
        UnsafeFileError: If the file would run code when read.
    """
    if name_or_path in available():
        with as_file(_WEIGHTS / str(name_or_path)) as folder:
            return load(folder, **options)
    path = Path(name_or_path)
    if not path.exists():
        raise CheckpointError(f"{path} is no file and none of the built-in generators: {', '.join(available())}")
    with checkpoints.building(path):
        family, (config, state) = _read(path)
        generator = family(**(config | options))
        generator.load_state_dict(state)
    return generator.frozen()


def _read(path: Path) -> tuple[type[Generator], Parts]:
    if path.is_dir():
        description, state = checkpoints.read_model(path)
        if description.get("family") in FAMILIES:
            return FAMILIES[description["family"]], (description["config"], state)
    else:
        content = checkpoints.read(path)
        for family in FAMILIES.values():
            if parts := family.recognise(content):
                return family, parts
    raise CheckpointError(f"{path} is no generator of the families {', '.join(FAMILIES)}; build the module yourself and wrap it")


def save(generator: Generator, folder: str | Path) -> None:
    """Writes a generator as `model.safetensors` and `model.json`, which `load` opens.

    Raises:
        OptionError: If it is of no family in `FAMILIES`, as a wrapped module is.
    """
    names = {cls: name for name, cls in FAMILIES.items()}
    if type(generator) not in names:
        raise OptionError(f"a {type(generator).__name__} cannot be saved; these can: {', '.join(FAMILIES)}")
    checkpoints.write_model(folder, generator, family=names[type(generator)], config=generator.config)
