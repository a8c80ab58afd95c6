"""The report of a generator's training: its samples step by step, its losses, its FID."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from .figures import curves
from .page import Figure, Number, Section, again, made, picture, plot, write_page
from .run_folder import read_metrics

MEASURED = {"fid": "FID", "bits_per_dim": "bits per dimension", "reconstruction": "reconstruction error, nats"}
"""What makes a headline, in this order, where the run has it."""


NEEDED = ("family", "images", "parameters", "steps", "seconds", "date", "version", "device")
"""What results.json of a training holds."""


def write(run: Path, results: dict[str, Any]) -> Path:
    """The page of a generator's training; see `write_report`."""
    return training_page(run, results, "generator", "generator train")


def training_page(
    run: Path,
    results: dict[str, Any],
    kind: str,
    command: str,
    sections: Sequence[Section] = (),
    headline: Sequence[Number] = (),
    remark: str = "",
) -> Path:
    """The page of what trained as a generator does.

    Args:
        run: Its folder.
        results: Of its results.json.
        kind: What it is.
        command: What repeats it.
        sections: Before the others.
        headline: Numbers before the others.
        remark: After the lead.
    """
    metrics = read_metrics(run / "metrics.csv")
    steps = metrics.pop("step", np.zeros(0))
    sheets = sorted((run / "images").glob("samples-*.png"))
    seen = {name: values for name, values in metrics.items() if np.isfinite(values).any()}
    numbers = [
        Number(f"{seen[name][np.isfinite(seen[name])][-1]:.4g}", title, results.get(name) or "")
        for name, title in MEASURED.items()
        if name in seen
    ]
    titles = {name: title for name, title in MEASURED.items() if name in seen} | {
        name: name.replace("_", " ") for name in seen if name not in MEASURED
    }
    plots = [plot(curves(steps, {title: seen[name]}), f"{title} over the steps") for name, title in titles.items()]
    shown = [sheets[i] for i in sorted({0, len(sheets) // 2, len(sheets) - 1})] if sheets else []
    panels = [picture(path, f"samples after {_step(path):,} steps", label=f"step {_step(path):,}") for path in shown]
    time = timedelta(seconds=round(results["seconds"]))
    page = run / "report.html"
    write_page(
        page,
        f"{results['family']} on {results['images']:,} images",
        f"{results['parameters']:,} parameters, {results['steps']:,} steps in {time}.{remark}",
        [
            *sections,
            Section("Samples", ["The same latents as the generator learned."], [Figure(panels, "Drawn from the prior.")]),
            Section("Curves", figures=[Figure(plots, "As metrics.csv has them.")]),
            again(run, command),
        ],
        kicker=f"genviews · {kind}",
        facts=made(results),
        numbers=[*headline, *numbers],
    )
    return page


def _step(sheet: Path) -> int:
    return int(sheet.stem.rpartition("-")[2])
