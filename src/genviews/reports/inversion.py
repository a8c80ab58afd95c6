"""The report of an inversion: images beside their reconstructions, from the best to the worst, and how errors are distributed."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import Images
from ..generators.base import Generator
from ..views.inverted import Inversion
from .figures import curves, histogram, save_grid
from .page import Figure, Number, Section, again, made, picture, plot, write_page
from .run_folder import read_metrics

NEEDED = ("generator", "space", "data", "method", "perceptual", "error", "threshold", "flagged", "seconds")
"""What results.json of an inversion holds, beside `runs.facts`."""

SHOWN = 12
"""Images of a picture."""


def ranks(errors: Tensor, count: int = SHOWN) -> dict[str, Tensor]:
    """Which images (n,), n at most `count`, have the least, the middle and the largest errors (N,), in order."""
    order, n = errors.argsort(stable=True), min(count, len(errors))
    middle = (len(errors) - n) // 2
    return {"best": order[:n], "median": order[middle : middle + n], "worst": order[len(errors) - n :]}


@torch.no_grad()
def save_pairs(folder: Path, inversion: Inversion, generator: Generator, images: Images) -> None:
    """Writes best.png, median.png and worst.png: images above, their reconstructions below.

    Args:
        folder: For the pictures.
        inversion: What was found.
        generator: G, in the inversion's space.
        images: Those that were inverted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in ranks(inversion.errors).items():
        rebuilt = generator(inversion.latents[rows].to(generator.device)).cpu()
        save_grid(folder / f"{name}.png", torch.cat([images[rows][0] / 255, rebuilt]), len(rows))


def write(run: Path, results: dict[str, Any]) -> Path:
    """The page of an inversion; see `write_report`."""
    inversion = Inversion.load(run)
    count, threshold = len(inversion.errors), results["threshold"]
    panels = [
        picture(path, f"images of {name} error above their reconstructions", label=f"{name} error", width=1000)
        for name in ranks(inversion.errors)
        if (path := run / "images" / f"{name}.png").exists()
    ]
    distribution = histogram(
        {f"{count:,} images": inversion.errors}, xlabel="mean squared error", marks={f"flagged above {threshold:.2g}": threshold}
    )
    metrics = read_metrics(run / "encoder" / "metrics.csv")
    steps = metrics.pop("step", np.zeros(0))
    learned = [plot(curves(steps, {name: values}), f"{name} over the steps") for name, values in metrics.items()]
    page = run / "report.html"
    write_page(
        page,
        f"{Path(results['data']).name} inverted",
        f"The latents of {count:,} images in the space {results['space']} of {results['generator']['class']}, "
        f"found by {results['method']} in {timedelta(seconds=round(results['seconds']))}.",
        [
            Section(
                "Images and reconstructions",
                figures=[Figure(panels, "Images above, what the generator makes of their latents below.")],
            ),
            Section(
                "Errors",
                figures=[
                    Figure(
                        [plot(distribution, "how the errors are distributed")],
                        "Flagged are images outside the generator's range: above the median error and five median deviations, "
                        "kept between 30 and 13 dB.",
                    )
                ],
            ),
            Section("The encoder's training", figures=[Figure(learned, "As encoder/metrics.csv has them.")]),
            again(run, "invert"),
        ],
        kicker="genviews · inversion",
        facts=made(results),
        numbers=[
            Number(f"{results['error']:.2g}", "mean squared error", f"features: {results['perceptual'] or 'none, pixels alone'}"),
            Number(f"{results['flagged']:,}", "flagged", f"of {count:,} images are outside the generator's range"),
            Number(f"{inversion.steps.float().mean():.0f}", "steps", "of the optimisation, the mean over the images"),
        ],
    )
    return page
