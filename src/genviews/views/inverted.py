"""Real images inverted into a generator, on disk: `latents.safetensors` and, of what they are, `results.json`."""

import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .. import runs
from ..checkpoints import building, read, read_json, write_tensors, write_text
from ..data import Images
from ..encoders import Perceptual
from ..errors import DataError, RunError, require_positive
from ..generators.base import Generator
from ..latents.inversion import InversionOptions, Method, choose_method, invert, require_invertible
from .rendering import describe

PARTS = "parts"
"""Of a run's folder, where the batches of an unfinished inversion are."""

RANGE = (0.001, 0.05)
"""A mean squared error below the first, 30 dB, is never taken for a failure, and one above the second, 13 dB, always."""


@dataclass(frozen=True)
class Inversion:
    """The latents of a set of images, in the images' order.

    Attributes:
        latents: float32 (N, D).
        errors: Mean squared error (N,) of the pixels of G(z).
        steps: Of the optimisation, int64 (N,).
        about: What they are of and how they were found: what `results.json` holds.
    """

    latents: Tensor
    errors: Tensor
    steps: Tensor
    about: dict[str, Any]

    @property
    def generator(self) -> dict[str, Any]:
        """What `rendering.describe` said of the generator, seen from `space`."""
        return self.about["generator"]

    @property
    def space(self) -> str:
        """The generator's latent space."""
        return self.about["space"]

    @property
    def threshold(self) -> float:
        """A heuristic bound of what the generator can make: the median error and five median deviations, kept within `RANGE`."""
        median = self.errors.median()
        return float((median + 5 * (self.errors - median).abs().median()).clamp(*RANGE))

    def flagged(self, threshold: float | None = None) -> Tensor:
        """The images outside the generator's range, bool (N,): those whose error is above a bound, `threshold` if None."""
        return self.errors > (self.threshold if threshold is None else threshold)

    def check(self, generator: Generator, images: Images) -> None:
        """Refuses another generator, in whatever space, and images that do not begin with those that were inverted.

        Raises:
            RunError: Names what differs.
        """
        wanted = _subject(generator.in_space(self.space), images, len(self.latents))
        _require_same(self.about, wanted, "these latents are")

    def save(self, folder: Path) -> None:
        """Writes both files, `results.json` last."""
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / "latents.safetensors", {"latents": self.latents, "errors": self.errors, "steps": self.steps})
        write_text(folder / "results.json", json.dumps(self.about, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path | str) -> "Inversion":
        """Reads what `save` wrote.

        Raises:
            CheckpointError: If a file is missing or damaged.
            RunError: If the folder holds another run.
        """
        about = read_json(Path(folder) / "results.json")
        if about.get("kind") != "inversion":
            raise RunError(f"{folder} is a run of kind {about.get('kind')!r}; give one of genviews invert")
        path = Path(folder) / "latents.safetensors"
        with building(path):
            return cls(**read(path), about=about)


def fingerprint(images: Images, count: int, batch_size: int = 1024) -> str:
    """SHA-256 of the pixels of the first `count` images."""
    digest = hashlib.sha256()
    for indices in tqdm(torch.arange(count).split(batch_size), "reading images", delay=2, leave=False, disable=None):
        digest.update(images[indices][0].contiguous().numpy().data)
    return digest.hexdigest()


def _subject(generator: Generator, images: Images, count: int) -> dict[str, Any]:
    """What an inversion is of: results that differ in it cannot be mixed."""
    return {
        "generator": describe(generator),
        "space": getattr(generator, "space", "z"),
        "image_shape": list(images.image_shape),
        "count": count,
        "images": fingerprint(images, count) if count <= len(images) else f"only {len(images)} images",
    }


def _require_same(there: dict[str, Any], wanted: dict[str, Any], what: str) -> None:
    there, wanted = runs.flatten(there), runs.flatten(json.loads(json.dumps(wanted)))
    for key in wanted:
        if there.get(key) != wanted[key]:
            raise RunError(f"{what} of {key}={there.get(key)}, not {wanted[key]}; give the same, or invert into a new folder")


def invert_images(
    generator: Generator,
    images: Images,
    out: Path,
    *,
    method: Method = "auto",
    encoder: nn.Module | None = None,
    perceptual: Perceptual | None = None,
    options: InversionOptions | None = None,
    limit: int | None = None,
    resume: bool = False,
    **facts: Any,
) -> Inversion:
    """Inverts a set of images, batch by batch; each that is done stays, so that a killed run goes on to the same result.

    Args:
        generator: G, in the space of the latents; see `latents.invert`, as for what follows.
        images: Those to invert.
        out: Run folder.
        method: How.
        encoder: E.
        perceptual: F.
        options: The defaults if None.
        limit: How many of the first images; None for all.
        resume: Keep the finished batches in `out`, or return what a finished run left there.
        **facts: Further entries of `results.json`, such as the name of the data.

    Returns:
        The inversion, on the CPU.

    Raises:
        RunError: If `out` holds the inversion of other images, or by another generator or other means.
    """
    options = options or InversionOptions()
    require_positive(limit=limit)
    require_invertible(generator, images.image_shape, encoder)
    method = choose_method(generator, encoder, method)
    count = min(len(images), limit or len(images))
    if not count:
        raise DataError("there are no images to invert; give a split that holds some")
    about = {
        "kind": "inversion",
        **_subject(generator, images, count),
        "method": method,
        "encoder": None if encoder is None else describe(encoder),
        "perceptual": perceptual and perceptual.name,
        "perceptual_sha256": perceptual and describe(perceptual)["sha256"],
        "options": asdict(options),
        **facts,
    }
    if (out / "results.json").exists() and resume:
        found = Inversion.load(out)
        _require_same(found.about, about, f"{out} holds the inversion")
        return found
    folder = _claim(out, about, resume)
    clock = time.perf_counter()
    paths = []
    for indices in tqdm(torch.arange(count).split(options.batch_size), f"inverting into {out}", unit="batch", disable=None):
        paths.append(folder / f"{int(indices[0]):08d}.safetensors")
        if not paths[-1].exists():
            x = images[indices][0].to(generator.device).float() / 255
            part = invert(generator, x, method=method, encoder=encoder, perceptual=perceptual, options=options)
            write_tensors(paths[-1], {name: tensor.cpu() for name, tensor in vars(part).items()})
    parts = [read(path) for path in paths]
    whole = {name: torch.cat([part[name] for part in parts]) for name in ("latents", "errors", "steps")}
    inversion = Inversion(**whole, about=about | {"seconds": time.perf_counter() - clock, **runs.facts()})
    threshold, flagged = inversion.threshold, int(inversion.flagged().sum())
    inversion.about.update(error=float(inversion.errors.mean()), threshold=threshold, flagged=flagged)
    inversion.save(out)
    shutil.rmtree(folder)
    return inversion


def _claim(out: Path, about: dict[str, Any], resume: bool) -> Path:
    """The folder of the batches of this inversion: a new one, or the one there."""
    folder = out / PARTS
    begun = folder / "about.json"
    if not resume and (begun.exists() or (out / "results.json").exists()):
        raise RunError(f"{out} holds an inversion already; resume it, or invert into a new folder")
    if begun.exists():
        _require_same(read_json(begun), about, f"{out} holds the inversion")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(begun, json.dumps(about, indent=1) + "\n")
    return folder
