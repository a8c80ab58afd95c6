"""`genviews latents`."""

import shlex
import sys
from pathlib import Path
from typing import Any

from .. import data as datasets
from .. import generators
from ..data import BadFile
from ..experiments import ComparisonOptions, search_std
from ..reports.scores import as_text
from ..runs import is_first_process
from ..training import PretrainOptions, SteeringOptions, train_steering


def steer(
    generator: str,
    out: Path = Path("runs/steering"),
    resume: bool = False,
    checkpoint_every: int = 200,
    log_every: int = 10,
    **options: Any,
) -> None:
    """Trains walks in the latent space that edit the image: colour, rotations, zoom, shifts (GenRep).

    `views render` and `pretrain generated --transform` take the result.

    Examples:
      genviews latents steer digits-flow --out runs/steering
      genviews latents steer G.pt --edits '[zoom, shift_x, shift_y]' --steps 5000 --batch_size 32 --lr 0.001

    Args:
        generator: A built-in name, a checkpoint file or a folder.
        out: Run folder; the walks are its model.safetensors and model.json, their picture images/walks.png.
        resume: Go on with the run in `out`.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between rows of metrics.csv.
    """
    train_steering(
        generators.load(generator),
        SteeringOptions(**options),
        out,
        resume,
        checkpoint_every=checkpoint_every,
        log_every=log_every,
    )
    if is_first_process():
        print(out)


ENCODER = PretrainOptions(steps=200)


def search(
    generator: str,
    data: str,
    out: Path = Path("runs/search-std"),
    resume: bool = False,
    stds: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4),
    seeds: int = 3,
    probes: tuple[str, ...] = ("linear",),
    pairs: int = 10_000,
    validation: float = 0.2,
    encoder: PretrainOptions = ENCODER,
    on_bad_file: BadFile = "error",
) -> None:
    """Finds the std of the Gaussian T_z: pretrains and probes encoders for each, on held-out training images (GenRep).

    Prints the table and the best; report.html plots accuracy against std.

    Examples:
      genviews latents search-std digits-flow digits --stds '[0.05, 0.1, 0.2, 0.4]'
      genviews latents search-std G.pt mnist --seeds 5 --encoder.steps 2000

    Args:
        generator: A built-in name, a checkpoint file or a folder.
        data: A labelled data set by name or path; its test part is not used.
        out: Run folder.
        resume: Go on with the run in `out`.
        stds: To choose from.
        seeds: Encoders a std.
        probes: "linear" (all labels), "linear-N" (N labels a class), "knn-K"; the first chooses.
        pairs: Rendered for each std.
        validation: The share of each class that is held out, if the data come without a validation part.
        encoder: How each encoder is pretrained.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    found = generators.load(generator)
    result = search_std(
        found,
        datasets.load(data, found.image_shape[-1], on_bad_file=on_bad_file),
        stds,
        ComparisonOptions(seeds=seeds, probes=probes, pairs=pairs, encoder=encoder),
        out,
        validation=validation,
        title=f"The std of the Gaussian T_z of {Path(generator).stem} on {Path(data).stem}",
        command=shlex.join(["genviews", *sys.argv[1:]]),
    )
    print(as_text(result.scores))
    close = f"; not beyond noise below it: {', '.join(f'{std:g}' for std in result.close)}" if result.close else ""
    print(f"best std {result.best:g} by {probes[0]} on held-out training images{close}; {out / 'report.html'}")


COMMAND = {"steer": steer, "search-std": search}
