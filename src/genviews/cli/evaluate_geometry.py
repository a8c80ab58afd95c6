"""`genviews evaluate geometry`."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import nn

from .. import data as datasets
from .. import devices, encoders, evaluation, generators, runs
from ..checkpoints import write_text
from ..data import BadFile
from ..errors import OptionError
from ..evaluation import GeometryOptions
from ..reports import write_report
from ..reports.geometry import as_text


def geometry(
    encoder: Path,
    data: str,
    generator: str | None = None,
    space: Literal["representation", "embedding"] = "representation",
    gromov_wasserstein: bool = False,
    image_size: int | None = None,
    out: Path = Path("runs/geometry"),
    resume: bool = False,
    on_bad_file: BadFile = "error",
    **options: Any,
) -> None:
    """What an encoder does to distances: P and Q of SNE and SimCLR, alignment, uniformity, Lipschitz constants, dimensions used.

    Examples:
      genviews evaluate geometry runs/encoder digits
      genviews evaluate geometry runs/encoder mnist --generator G.pt --gromov_wasserstein --out runs/geometry-mnist
      genviews evaluate geometry runs/t-simclr cifar10 --space embedding --samples 500

    Args:
        encoder: Folder by `genviews pretrain`, or a file released with COP-Gen, GenRep or DisCo.
        data: A data set by name or path; its test part is looked at.
        generator: A built-in name, a checkpoint file or a folder, to compare latents with their images too.
        space: "representation" of the backbone, or "embedding" of the projector, not normalised.
        gromov_wasserstein: Measure the distances across dimensions too.
        image_size: Side in pixels that the images are loaded at; the encoder's, or else their own, if not given.
        out: Run folder: results.json, report.html.
        resume: Show what a finished run in `out` found, or begin again.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    settings = GeometryOptions(gromov_wasserstein=gromov_wasserstein, **options)
    path = out / "results.json"
    if not (resume and path.exists()):
        found: Any = _opened(encoder, space).to(devices.best())
        images = datasets.load(data, image_size or found[0].image_size, on_bad_file=on_bad_file).test
        rendered = generators.load(generator).to(devices.best()) if generator else None
        result = evaluation.geometry(found, images, settings, rendered)
        names = {"encoder": str(encoder), "data": data, "generator": generator, "space": space}
        (out / "images").mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = result.arrays()
        np.savez_compressed(out / "images" / "geometry.npz", **arrays)
        write_text(path, json.dumps({"kind": "geometry", **names, **result.numbers(), **runs.facts()}, indent=1) + "\n")
    page = write_report(out)
    print(as_text(json.loads(path.read_text())))
    print(page)


def _opened(folder: Path, space: str) -> nn.Sequential:
    """What maps images to the space, the encoder first."""
    found = encoders.embedder(folder)
    if space == "representation":
        return nn.Sequential(found.encoder)
    if isinstance(found.projector, nn.Identity):
        raise OptionError(f"{folder} has no projector, so no embeddings; take --space representation, or pretrain it again")
    return nn.Sequential(found.encoder, found.projector)


COMMAND = geometry
