"""The report of a geometry: who is near whom, how maps stretch, and what of it is kept."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .figures import heat_map, histogram
from .page import Cell, Figure, Number, Panel, Section, Table, again, made, plot, write_page
from .run_folder import read_pictures
from .scores import aligned

NEEDED = (
    *("encoder", "data", "generator", "space", "alignment", "uniformity", "participation_ratio", "dimensions", "losses", "maps"),
    *("samples", "date", "version", "device"),
)
"""What results.json of a geometry holds."""

STRETCHES = {
    "local_median": "Jacobian, median",
    "local_max": "Jacobian, largest",
    "ratio_low": "pairs, 5 %",
    "ratio_median": "pairs, median",
    "ratio_high": "pairs, 95 %",
    "ratio_max": "pairs, largest",
    "gromov_wasserstein": "Gromov-Wasserstein, squared",
    "cai_lim": "D+ (Cai & Lim)",
}
"""What a map does to distances, of which the last two may be missing."""

GIVEN = {
    "SNE": "P: pixels of the views, Gaussian; Q: representations, Gaussian, row by row",
    "t-SNE": "P: the same, symmetric; Q: representations, Student's t, over all pairs",
    "SimCLR": "P: the two views of an image; Q: representations, cosine, row by row",
    "t-SimCLR": "P: the same; Q: representations, Student's t, over all pairs",
}


def as_text(results: dict[str, Any]) -> str:
    """The numbers as a terminal shows them."""
    space = f"{results['samples']:,} images of {results['data']}, {results['dimensions']} dimensions of each {results['space']}"
    lines = [
        ["alignment, uniformity", f"{results['alignment']:.4g}, {results['uniformity']:.4g}"],
        ["participation ratio", f"{results['participation_ratio']:.2f}"],
        *([f"loss of {name}", f"{value:.4g} nats"] for name, value in results["losses"].items()),
    ]
    for name, numbers in results["maps"].items():
        lines += [[f"{name}: {title}", f"{numbers[key]:.4g}"] for key, title in STRETCHES.items() if numbers[key] is not None]
    return f"{aligned(lines)}\n{space}"


def write(run: Path, results: dict[str, Any]) -> Path:
    """The page of a geometry; see `write_report`."""
    arrays = read_pictures(run / "images" / "geometry.npz")
    maps = results["maps"]
    shown = {key: title for key, title in STRETCHES.items() if all(numbers[key] is not None for numbers in maps.values())}
    stretches = [[Cell(name), *(Cell(f"{numbers[key]:.3g}") for key in shown)] for name, numbers in maps.items()]
    near = [
        Figure(
            [_matrix(arrays, letter, name) for letter in ("p", "q") if f"{letter}:{name}" in arrays],
            f"{name}. {GIVEN[name]}. Its loss is {value:.3g} nats.",
        )
        for name, value in results["losses"].items()
    ]
    titles = {"local": "spectral norm of the Jacobian", "ratios": "ratio of distances after and before"}
    plots = [
        plot(histogram({name: arrays[f"{key}:{name}"]}, xlabel=title, marks={"1": 1.0}), f"{title}, {name}", label=name)
        for key, title in titles.items()
        for name in maps
        if f"{key}:{name}" in arrays
    ]
    page = run / "report.html"
    write_page(
        page,
        f"Geometry of {Path(results['encoder']).name} on {Path(results['data']).stem}",
        f"{results['samples']:,} images of the test part, as {results['dimensions']} dimensions of each {results['space']}.",
        [
            Section(
                "Who is near whom",
                [
                    "P is the neighbourhood that a method wants, Q the one it has; its loss is KL(P || Q), of SimCLR and "
                    "t-SimCLR plus log 2n. First come the first views, classes side by side, then the second views in the same "
                    "order; full colour stands for the 99th percentile of a matrix."
                ],
                near,
            ),
            Section(
                "How distances change",
                ["Both spaces have a total variance of 1: a map that keeps all distances up to a scale has 1 throughout."],
                [Figure(plots, f"At each sample, and between pairs of samples{_compared(results)}.")],
                [Table(["map", *shown.values()], stretches, "Distances across dimensions are of the standardised spaces.")],
            ),
            again(run, "evaluate geometry"),
        ],
        kicker="genviews · geometry",
        facts=made(results),
        numbers=[
            Number(f"{results['alignment']:.3g}", "alignment", "0 where the views of an image meet"),
            Number(f"{results['uniformity']:.3g}", "uniformity", "the less, the more even"),
            Number(f"{results['participation_ratio']:.1f}", "participation ratio", f"of {results['dimensions']} dimensions"),
        ],
    )
    return page


def _compared(results: dict[str, Any]) -> str:
    return f"; the generator is {results['generator']}" if results["generator"] else ""


def _matrix(arrays: dict[str, NDArray], letter: str, name: str) -> Panel:
    values = arrays[f"{letter}:{name}"]
    label = f"{letter.upper()} of {name}"
    return plot(heat_map(values / np.quantile(values[values > 0], 0.99), (), (), xlabel="view"), label, label=label)
