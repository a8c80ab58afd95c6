"""The main comparison: encoders that learn from real images or a generator's pairs, a row for each way to make a positive."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import devices, runs
from ..checkpoints import write_text
from ..data import Splits
from ..errors import OptionError, RunError, ShapeError, require_positive
from ..evaluation import check, probe
from ..generators import Generator
from ..latents import Gaussian, Identity, LatentTransform
from ..randomness import sample_seeds
from ..reports import write_report
from ..reports.run_folder import read_pictures, read_results
from ..training import NavigatorOptions, PretrainOptions, pretrain, train_navigator, untrained
from ..views import RealViews, RenderedViews, Views, render
from ..views.store import quantise

TITLES = {
    "real": "real images",
    "none": "synthetic, no T_z",
    "gaussian": "synthetic, Gaussian T_z",
    "untrained": "synthetic, untrained navigator",
    "cop-gen": "synthetic, COP-Gen T_z",
}
SAMPLES, ANCHORS = 48, 10
PROBE_TITLES = {"linear": "linear, all labels", "linear-3": "linear, 3 labels a class", "knn-5": "5-NN"}


@dataclass(frozen=True)
class Row:
    """One way to make a positive: "<positive>[:std][@augmentation]", as "cop-gen", "gaussian:0.4" or "cop-gen@none"."""

    name: str
    positive: str
    std: float | None
    augmentation: str | None

    @classmethod
    def parse(cls, name: str) -> "Row":
        head, _, augmentation = name.partition("@")
        positive, _, std = head.partition(":")
        try:
            row = cls(name, positive, float(std) if std else None, augmentation or None)
        except ValueError:
            raise OptionError(f"row {name!r}: {std!r} is no std; write gaussian:0.2") from None
        if positive not in TITLES or (std and positive != "gaussian"):
            raise OptionError(
                f"row {name!r} is unknown; choose from {', '.join(TITLES)}, gaussian:STD, each with @AUGMENTATION or not"
            )
        return row

    @property
    def slug(self) -> str:
        return self.name.replace(":", "-").replace("@", "-")

    @property
    def title(self) -> str:
        std = f" (std {self.std:g})" if self.std is not None else ""
        return TITLES[self.positive] + std + (f", T_x {self.augmentation}" if self.augmentation else "")


@dataclass(frozen=True)
class ComparisonOptions:
    """What is compared, and how.

    Attributes:
        rows: "real", "none", "gaussian[:STD]", "untrained", "cop-gen"; "@AUGMENTATION" gives a row another T_x than the others.
        seeds: Encoders a row.
        probes: "linear" (all labels), "linear-N" (N labels a class), "knn-K".
        pairs: Rendered for each row.
        gaussian_std: Of the Gaussian T_z.
        encoder: How each encoder is pretrained.
        navigator: How T_z is trained.
    """

    rows: tuple[str, ...] = ("real", "none", "gaussian", "cop-gen")
    seeds: int = 3
    probes: tuple[str, ...] = ("linear", "linear-3", "knn-5")
    pairs: int = 10_000
    gaussian_std: float = 0.2
    encoder: PretrainOptions = field(default_factory=lambda: PretrainOptions(steps=200))
    navigator: NavigatorOptions = field(default_factory=NavigatorOptions)

    def __post_init__(self) -> None:
        require_positive(seeds=self.seeds, pairs=self.pairs, gaussian_std=self.gaussian_std)
        check(self.probes)


def compare_positives(
    generator: Generator,
    data: Splits,
    options: ComparisonOptions,
    out: Path,
    *,
    title: str,
    command: str = "",
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Trains and probes `seeds` encoders for each row, into a run folder; what the folder holds already is not done again.

    Args:
        generator: G, frozen.
        data: Real images of G's shape. Row "real" learns from the training part, and so do the probes, scored on the test part.
        options: See `ComparisonOptions`.
        out: The run folder: `results.json`, `report.html`, `navigator/`, `views/`, `encoders/`, `images/`.
        title: Of the report.
        command: What repeats the run, for the report.
        notes: Sentences for the report.

    Returns:
        What `results.json` holds: the configuration and every cell (row, seed, probe) with its accuracy and interval.

    Raises:
        OptionError: If a row or a probe is unknown.
        ShapeError: If the images and the generator do not have one shape.
    """
    if data.train.image_shape != generator.image_shape:
        raise ShapeError(f"the images are {data.train.image_shape}, the generator makes {generator.image_shape}; they must agree")
    rows = [Row.parse(name) for name in dict.fromkeys(options.rows)]
    for row in rows:
        replace(options.encoder, augmentation=row.augmentation or options.encoder.augmentation).augment(generator.image_shape)
    (out / "images").mkdir(parents=True, exist_ok=True)
    results = _start(out, rows, options, title=title, command=command, notes=list(notes))
    done = {(cell["row"], cell["seed"]) for cell in results["cells"]}
    seeds = range(options.encoder.seed, options.encoder.seed + options.seeds)
    clock = time.perf_counter() - results["seconds"]
    transforms = {row.name: _transform(row, generator, options, out, results) for row in rows if row.positive != "real"}
    for part in (generator, *transforms.values()):
        part.to(devices.best())
    _picture(generator, data, transforms, out)
    for row in rows:
        todo = [seed for seed in seeds if (row.name, seed) not in done]
        if not todo:
            continue
        views = _views(row, transforms.get(row.name), generator, data, options, out)
        for seed in todo:
            recipe = replace(options.encoder, seed=seed, augmentation=row.augmentation or options.encoder.augmentation)
            label = f"encoder: {row.title}, seed {seed}"
            encoder = pretrain(views, recipe, out / "encoders" / f"{row.slug}-{seed}", resume=True, description=label)
            for name, score in probe(encoder, data, options.probes, device=devices.best()).items():
                results["cells"].append({"row": row.name, "seed": seed, "probe": name, **asdict(score)})
            results["seconds"] = time.perf_counter() - clock
            _write(results, out)
    write_report(out)
    return results


def _start(out: Path, rows: Sequence[Row], options: ComparisonOptions, **facts: Any) -> dict[str, Any]:
    """The results so far: those in the folder, or an empty table."""
    path = out / "results.json"
    if path.exists():
        results = read_results(path, ("config", "cells", "seconds"))
        if results["config"] != json.loads(json.dumps(asdict(options))):
            raise RunError(f"{path} holds a comparison with other options; go on with those, or choose another folder")
        return results
    return {
        "kind": "cop-gen",
        **facts,
        **runs.facts(),
        "seconds": 0.0,
        "config": asdict(options),
        "rows": [row.name for row in rows],
        "row_titles": {row.name: row.title for row in rows},
        "probes": list(options.probes),
        "probe_titles": {name: PROBE_TITLES.get(name, name) for name in options.probes},
        "cells": [],
    }


def _write(results: dict[str, Any], out: Path) -> None:
    write_text(out / "results.json", json.dumps(results, indent=1) + "\n")


def _transform(row: Row, generator: Generator, options: ComparisonOptions, out: Path, results: dict[str, Any]) -> LatentTransform:
    """The T_z of a row; a navigator is trained for each T_x that asks for one."""
    settings = options.navigator
    if row.augmentation:
        settings = settings.under(row.augmentation)
    if row.positive == "none":
        return Identity()
    if row.positive == "gaussian":
        return Gaussian(row.std or options.gaussian_std)
    if row.positive == "untrained":
        return untrained(generator, settings)
    folder = out / ("navigator" if row.augmentation is None else f"navigator-{row.augmentation}")
    run = train_navigator(generator, settings, out=folder, resume=True)
    facts = {"delta": settings.delta, "lr": settings.lr, "estimator_lr": settings.estimator_lr}
    results[folder.name] = {"steps": run.steps, "best_step": run.best_step, "reason": run.reason, **facts}
    return run.navigator


@torch.no_grad()
def _picture(generator: Generator, data: Splits, transforms: dict[str, LatentTransform], out: Path) -> None:
    """Writes images/pictures.npz: real and generated samples, anchors and their positives under each T_z, the evolution."""
    z = generator.sample_latents(SAMPLES, rng=sample_seeds(0, -1 - torch.arange(SAMPLES)))
    pictures = {
        "real": data.train[torch.linspace(0, len(data.train) - 1, SAMPLES).long()][0],
        "generated": quantise(generator(z)),
        "anchors": quantise(generator(z[:ANCHORS])),
    }
    for name, transform in transforms.items():
        pictures[f"positives:{name}"] = quantise(generator(transform(z[:ANCHORS], rng=sample_seeds(0, torch.arange(ANCHORS)))))
    arrays: dict[str, Any] = {name: images.cpu().numpy() for name, images in pictures.items()}
    arrays |= read_pictures(out / "navigator" / "evolution.npz")
    np.savez(out / "images" / "pictures.npz", **arrays)


def _views(
    row: Row, transform: LatentTransform | None, generator: Generator, data: Splits, options: ComparisonOptions, out: Path
) -> Views:
    if transform is None:
        return RealViews(data.train)
    store = render(generator, transform, out / "views" / row.slug, pairs=options.pairs, resume=True)
    return RenderedViews(store)
