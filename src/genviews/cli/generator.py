"""`genviews generator`."""

from pathlib import Path
from typing import Any, Literal

import torch

from .. import data as datasets
from .. import devices, generators
from ..data import BadFile
from ..errors import OptionError
from ..randomness import sample_seeds
from ..reports import save_grid
from ..training import GeneratorOptions, train_generator


def info(generator: str) -> None:
    """Says what a generator file is: family, shapes, parameters.

    Examples:
      genviews generator info digits-flow
      genviews generator info G.pt

    Args:
        generator: A built-in name, a checkpoint file or a folder.
    """
    found = generators.load(generator)
    channels, height, width = found.image_shape
    kind = "unconditional" if found.num_conditions is None else f"{found.num_conditions} conditions"
    parameters = sum(p.numel() for p in found.parameters())
    shapes = f"latents ({found.latent_dim},) -> images ({channels}, {height}, {width})"
    print(f"{type(found).__name__}: {shapes}, {kind}, {parameters:,} parameters")


def sample(
    generator: str,
    out: Path = Path("samples.png"),
    count: int = 64,
    columns: int = 8,
    truncation: float | None = None,
    seed: int = 0,
) -> None:
    """Draws samples into one picture.

    Examples:
      genviews generator sample digits-flow --out digits.png
      genviews generator sample G.pt --count 16 --columns 4 --truncation 0.7

    Args:
        generator: A built-in name, a checkpoint file or a folder.
        out: A PNG file.
        count: How many samples.
        columns: How many beside each other.
        truncation: psi: latents from a normal truncated at two standard deviations, times psi.
        seed: Sample i of a seed is always the same.
    """
    if min(count, columns) < 1:
        raise OptionError(f"{count=} and {columns=} must be positive; draw one sample or more")
    found = generators.load(generator).to(devices.best())
    seeds = sample_seeds(seed, torch.arange(count))
    with torch.no_grad():
        images = found(found.sample_latents(count, truncation=truncation, rng=seeds))
    out.parent.mkdir(parents=True, exist_ok=True)
    save_grid(out, images, columns)
    print(out)


def train(
    family: Literal["realnvp", "burgess_vae"],
    data: str,
    out: Path = Path("runs/generator"),
    resume: bool = False,
    image_size: int | None = None,
    on_bad_file: BadFile = "error",
    **options: Any,
) -> None:
    """Trains a small generator on your images: a flow (realnvp, up to about 32 px) or a VAE (burgess_vae, 32 or 64 px).

    Examples:
      genviews generator train realnvp digits --levels 17 --out runs/digits-flow
      genviews generator train burgess_vae mnist --image_size 32 --out runs/mnist-vae

    Args:
        family: Of generators.
        data: "digits", "mnist", "fashion-mnist", "cifar10", "cifar100", an npz file or an image folder; the training part.
        out: Run folder; `genviews generator info` and every other verb take it.
        resume: Go on with the run in `out`.
        image_size: Side in pixels; the data's own if not given.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    images = datasets.load(data, image_size, on_bad_file=on_bad_file).train
    train_generator(family, images, GeneratorOptions(**options), out, resume)
    print(out)


COMMAND = {"info": info, "sample": sample, "train": train}
