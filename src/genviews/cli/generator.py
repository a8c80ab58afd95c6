"""`genviews generator`."""

from pathlib import Path
from typing import Any

import torch

from .. import devices, generators
from ..errors import OptionError
from ..generators import ICGAN, Flow
from ..reports import save_grid
from ..views import GeneratedImages


def info(generator: str, options: dict[str, Any] | None = None) -> None:
    """Says what a generator file is: family, shapes, parameters, and what can be done with it.

    Examples:
      genviews generator info digits-flow
      genviews generator info G.pt

    Args:
        generator: A built-in name, a checkpoint file or a folder.
        options: Of `generators.load`, such as `--options.image_size 32` for a Glow, whose files do not tell.
    """
    found = generators.load(generator, **(options or {}))
    channels, height, width = found.image_shape
    kind = "unconditional" if found.num_conditions is None else f"{found.num_conditions:,} conditions"
    if isinstance(found, ICGAN) and found.num_conditions is None:
        kind = "without instances yet"
    parameters = sum(p.numel() for p in found.parameters())
    shapes = f"latents ({found.latent_dim},) -> images ({channels}, {height}, {width})"
    print(f"{type(found).__name__}: {shapes}, {kind}, {parameters:,} parameters")
    able = {"spaces " + ", ".join(found.spaces): len(found.spaces) > 1, "encodes images": found.encodes}
    able["has a likelihood"] = isinstance(found, Flow)
    if can := [what for what, true in able.items() if true]:
        print("; ".join(can))


def sample(
    generator: str,
    out: Path = Path("samples.png"),
    count: int = 64,
    columns: int = 8,
    truncation: float | None = None,
    condition: int | None = None,
    seed: int = 0,
    options: dict[str, Any] | None = None,
) -> None:
    """Draws samples into one picture.

    Examples:
      genviews generator sample digits-flow --out digits.png
      genviews generator sample G.pt --count 16 --columns 4 --truncation 0.7
      genviews generator sample biggan-deep-128/ --condition 207
      genviews generator sample cc_icgan/ --options.instances stored_instances.npy

    Args:
        generator: A built-in name, a checkpoint file or a folder.
        out: A PNG file.
        count: How many samples.
        columns: How many beside each other.
        truncation: psi: less than 1 for more typical images, in the family's own way.
        condition: The class or instance of all; each sample draws its own if not given.
        seed: Sample i of a seed is always the same.
        options: Of `generators.load`.
    """
    if min(count, columns) < 1:
        raise OptionError(f"{count=} and {columns=} must be positive; draw one sample or more")
    found = generators.load(generator, truncation=truncation, **(options or {})).to(devices.best())
    images, _ = GeneratedImages(found, count, seed, condition)[torch.arange(count)]
    out.parent.mkdir(parents=True, exist_ok=True)
    save_grid(out, images, columns)
    print(out)


def convert(generator: str, out: Path, options: dict[str, Any] | None = None) -> None:
    """Keeps a generator as `model.safetensors` and `model.json`, with its family's options and instances.

    Examples:
      genviews generator convert glow.pt faces/ --options.image_size 64
      genviews generator convert icgan/ dogs/ --options.instances stored_instances.npy

    Args:
        generator: A checkpoint file or a folder.
        out: The folder to write.
        options: Of `generators.load`.
    """
    generators.save(generators.load(generator, **(options or {})), out)
    print(out)


COMMAND = {"info": info, "sample": sample, "convert": convert, "train": "generator_train"}
