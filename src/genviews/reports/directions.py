"""The report of directions: what they do to images, one by one and two at a time, and what the codes make of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ..errors import RunError
from ..evaluation.directions import Cloud, Effects, Walks, leading
from .figures import cloud, curves, heat_map, save_animation, save_grid
from .page import Cell, Figure, Number, Panel, Section, Table, again, made, picture, plot, write_page
from .run_folder import read_metrics, read_pictures

NEEDED = ("method", "space", "seconds", "date", "version", "device")
"""What results.json of discovered directions holds; once they were shown also `shown`."""

STEPS, SIDE = 11, 7
"""Shifts of a row, and of each side of a plane."""
EACH = 16
"""Variations of a direction in the heat map, about."""
COLUMNS = ("image", "code", "domination", "agreement")


def save_walks(
    folder: Path, walks: Walks, effects: Effects, codes: Cloud | None, shift: float, top: int, moving: bool = False
) -> None:
    """Renders the pictures of a page and keeps them beside the numbers of its plots.

    Args:
        folder: Of direction-K.png (an anchor a row, from -shift to shift) and, if `moving`, direction-K.gif; plane-J-K.png (the
            first anchor, J downwards and K to the right) of four of the best; and pictures.npz.
        walks: Of the anchors that are shown.
        effects: The directions', for their ranking.
        codes: The picture of codes, if there is one.
        shift: How far at most.
        top: How many directions.
        moving: Write GIFs too.
    """
    folder.mkdir(exist_ok=True)
    for old in (*folder.glob("direction-*"), *folder.glob("plane-*")):
        old.unlink()
    ranking = effects.ranking()[:top]
    shown = [row["direction"] for row in ranking]
    for index in tqdm(shown, "pictures", delay=2, leave=False, disable=None):
        images = walks.along(index, torch.linspace(-shift, shift, STEPS)).cpu()
        save_grid(folder / f"direction-{index}.png", images.flatten(0, 1), STEPS)
        if moving:
            save_animation(folder / f"direction-{index}.gif", images.transpose(0, 1), columns=len(images))
    best = leading(ranking)
    planes = list(zip(best[:4:2], best[1:4:2], strict=False))
    for down, right in planes:
        images = walks.combined([down, right], torch.linspace(-shift, shift, SIDE))
        save_grid(folder / f"plane-{down}-{right}.png", images, SIDE)
    some = effects.variations[shown, :: max(1, effects.variations.shape[1] // EACH)].half()
    arrays: dict[str, Any] = {"variations": some, "shares": effects.shares[shown], "planes": planes}
    np.savez_compressed(folder / "pictures.npz", **arrays, **(codes._asdict() if codes else {}))


def write(run: Path, results: dict[str, Any]) -> Path:
    """The page of a run that discovered directions; see `write_report`."""
    shown = results.get("shown")
    page = run / "report.html"
    metrics = read_metrics(run / "metrics.csv")
    steps = metrics.pop("step", np.zeros(0))
    plots = [plot(curves(steps, {name: values}), f"{name} over the steps") for name, values in metrics.items()]
    write_page(
        page,
        f"Directions of {Path(shown['generator']).name}" if shown else "Directions",
        f"Found by {results['method']} in the space {results['space']}, in {timedelta(seconds=round(results['seconds']))}."
        + (" Here are those that act most and most purely, the best first." if shown else ""),
        [
            *(_shown(run / "images", shown) if shown else []),
            Section("Training", figures=[Figure(plots, "As metrics.csv has them.")]),
            again(run, "directions discover"),
        ],
        kicker="genviews · directions",
        facts=made(results),
        numbers=_numbers(shown) if shown else [],
    )
    return page


def _numbers(shown: dict[str, Any]) -> list[Number]:
    rows = shown["ranking"]
    domination, agreement = (np.mean([row[name] for row in rows]) for name in ("domination", "agreement"))
    used = len({row["dimension"] for row in rows})
    return [
        Number(f"{len(rows)}", "directions", f"whose variations are largest in {used} dimensions of the code"),
        Number(f"{domination:.2f}", "domination", "1 where one dimension of the code answers alone, 0 where all do alike"),
        Number(f"{agreement:.2f}", "agreement", "cosine between variations along a direction, less that with another's"),
    ]


def _shown(images: Path, shown: dict[str, Any]) -> list[Section]:
    arrays = read_pictures(images / "pictures.npz")
    if not arrays:
        raise RunError(f"{images / 'pictures.npz'} is missing; draw it again with genviews directions show")
    rows, shift = shown["ranking"][: shown["top"]], f"{shown['shift']:.3g}"
    names = [str(row["direction"]) for row in rows]
    strips = [_picture(images / f"direction-{name}.png", f"direction {name}", 1000) for name in names]
    moving = [_picture(images / f"direction-{name}.gif", f"direction {name}", 200) for name in names if shown["gif"]]
    planes = [
        _picture(images / f"plane-{down}-{right}.png", f"direction {down} downwards, {right} to the right", 480)
        for down, right in arrays["planes"]
    ]
    ends = f"from -{shift} to {shift}"
    numbers = [
        [Cell(str(row["direction"])), Cell(str(row["dimension"])), *(Cell(f"{row[key]:.3f}") for key in COLUMNS)] for row in rows
    ]
    table = Table(
        ["direction", "dimension", *COLUMNS],
        numbers,
        f"Shifts by {shift} either way: the dimension of the code that answers most, the mean change of a pixel and of the code, "
        "how far that dimension dominates, and how much more variations agree among themselves than with others'. In order of "
        f"image x domination x agreement; results.json has all {len(shown['ranking'])}.",
    )
    return [
        Section(
            "One at a time",
            figures=[
                Figure(strips, f"An anchor a row, the same for all directions: {ends}, in the middle as it was."),
                Figure(moving, "The same, moving there and back."),
            ],
        ),
        Section("Two at a time", figures=[Figure(planes, f"One anchor under two shifts, each {ends}.")]),
        Section("What the code makes of it", figures=[_heat_maps(arrays, names), *_clouds(arrays)]),
        Section("In numbers", tables=[table]),
    ]


def _picture(path: Path, what: str, width: int) -> Panel:
    return picture(path, f"images under shifts: {what}", label=what, width=width)


def _heat_maps(arrays: dict[str, NDArray], names: list[str]) -> Figure:
    variations, shares = arrays["variations"].astype(float), arrays["shares"]
    flat, each = variations.reshape(-1, variations.shape[-1]), variations.shape[1]
    dimensions = shares.argmax(0).argsort(kind="stable")  # those of pure directions come to lie on a diagonal
    blocks = heat_map(flat @ flat.T, names, names, xlabel="direction", ylabel="direction")
    relative = shares[:, dimensions] / shares.max().clip(1e-12)
    answers = heat_map(relative, names, [], xlabel=f"{len(dimensions)} dimensions of the code, sorted")
    return Figure(
        [
            plot(blocks, "cosines between variations of the code", label="How alike the variations are"),
            plot(answers, "how much of the variations is in each dimension of the code", label="Which dimension answers"),
        ],
        f"Left: the cosines, from 0 to 1, between {each} variations of the code by each direction; one that is its own is "
        "a full block on the diagonal, with nothing beside it. Right: how much of the variations is in each dimension.",
    )


def _clouds(arrays: dict[str, NDArray]) -> list[Figure]:
    if "codes" not in arrays:
        return []
    axes = [f"code {dimension}" for dimension in arrays["dimensions"]]
    panels = [
        plot(cloud(arrays["codes"], levels, axes), f"codes coloured by {name}", label=f"by {name}".replace("_", " "))
        for name, levels in zip(arrays["names"], arrays["levels"].T, strict=True)
    ]
    caption = f"Codes of {len(arrays['codes'])} images, all combinations of the three; coloured by each, from low (blue) to high."
    return [Figure(panels, caption)]
