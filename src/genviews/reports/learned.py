"""The page of a store of learned views: a few images with their views, and how far those are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import runs
from ..checkpoints import write_text
from ..data import Images
from ..generators.base import Generator
from ..views import Store
from ..views.moved import render_rows
from ..views.store import quantise
from .figures import histogram
from .page import Cell, Figure, Number, Section, Table, made, plot, sheet, write_page
from .run_folder import read_pictures

SHOWN = 8
"""Images, evenly spaced in the store."""

NEEDED = ("store", "images", "left_out", "views", "method", "date", "version", "device")
"""What results.json of learned views holds."""


def finish(store: Store, images: Images, generator: Generator, left_out: int) -> str:
    """Measures a store that is rendered to its end, and writes its results.json, a few pictures, and the page.

    Args:
        store: By `views.render_learned`.
        images: Those that it was made of.
        generator: That it was made with.
        left_out: How many images have no views, for they lie outside the generator's range.

    Returns:
        What to print: a line of the store, one of the search, and the path of the page.
    """
    config, about = store.config, f"{store.config.views - 1} views of each of {len(store):,} images; {left_out:,} left out"
    if store.missing:
        return f"{store.path}: {about}; {len(store.missing)} shards to come from other ranks"
    rows = torch.arange(len(store))
    results = {
        "kind": "learned",
        "store": str(store.path),
        "images": len(store),
        "left_out": left_out,
        "views": config.views - 1,
        "method": config.transform,
        **runs.facts(),
    }
    lines = [f"{store.path}: {about}"]
    if "boundary" in config.transform:
        distances, spread, converged = (store.read(name, rows) for name in ("distances", "spread", "converged"))
        results["converged"] = float(converged.float().mean())
        results["distance"], results["spread"] = float(distances[:, 1:].mean()), float(spread.mean())
        wanted = f"{config.transform['distance']} {config.transform['boundary']:.3g} wanted"
        lines.append(
            f"{results['converged']:.1%} converged; distance {results['distance']:.3f} on average ({wanted}), "
            f"{results['spread']:.3f} between views"
        )
    shown = rows[torch.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).long()]
    which = store.read("image", shown)
    shots = {"image": which, "real": images[which][0], "views": _pictures(store, shown, generator)}
    arrays: dict[str, Any] = {name: array.numpy() for name, array in shots.items()}
    np.savez(store.path / "pictures.npz", **arrays)
    write_text(store.path / "results.json", json.dumps(results, indent=1) + "\n")
    return "\n".join([*lines, str(write(store.path, results))])


@torch.no_grad()
def _pictures(store: Store, rows: Tensor, generator: Generator) -> Tensor:
    """uint8 (B, V, C, H, W), also of a store of latents."""
    if store.config.codec != "latents":
        return store.read("images", rows)
    return quantise(render_rows(generator, store.read("latents", rows).to(generator.device))).cpu()


def write(run: Path, results: dict[str, Any]) -> Path:
    """The page of a store of learned views; see `write_report`."""
    method, pictures, page = results["method"], read_pictures(run / "pictures.npz"), run / "report.html"
    searched = "boundary" in method
    numbers = [Number(f"{results['images']:,}", "images", f"{results['left_out']:,} left out")]
    sections = [Section("Views", ["A row is a real image, its reconstruction, and its views."], [_rows(pictures)])]
    if searched:
        wanted = f"{method['distance']} {method['boundary']:.3g} wanted"
        numbers += [
            Number(f"{results['converged']:.1%}", "converged", f"loss below {method['tolerance']:g} in {method['steps']} steps"),
            Number(f"{results['distance']:.3f}", f"distance from the {method['target']}", wanted, accent=True),
            Number(f"{results['spread']:.3f}", "distance between views"),
        ]
        sections.append(_distances(run, method))
    settings = [[Cell(name), Cell(str(value))] for name, value in method.items() if not isinstance(value, dict)]
    sections.append(Section("Settings", tables=[Table(["", "value"], settings, "What made the views, as store.json has it.")]))
    write_page(
        page,
        f"{results['views']} learned views of {results['images']:,} images",
        "Searched at a distance in an encoder's eyes." if searched else "The latents of the images, moved at random.",
        sections,
        kicker="genviews · learned views",
        facts=made(results),
        numbers=numbers,
    )
    return page


def _rows(pictures: dict[str, NDArray]) -> Figure:
    rows = zip(*(pictures[name] for name in ("image", "real", "views")), strict=True)
    panels = [
        sheet(np.concatenate([real[None], views]), "an image and its views", label=f"image {index}", width=700)
        for index, real, views in rows
    ]
    return Figure(panels, "Evenly spaced in the store.", rows=True)


def _distances(run: Path, method: dict[str, Any]) -> Section:
    store = Store(run)
    rows = torch.arange(len(store))
    distances, spread = store.read("distances", rows)[:, 1:], store.read("spread", rows)
    values = {"from the image": distances.flatten().numpy(), "between views": spread.numpy()}
    marks = {"wanted": method["boundary"]} if method["distance"] == "norm" else {}
    drawn = plot(histogram(values, xlabel="distance of embeddings", marks=marks), "how the distances are distributed")
    return Section("Distances", figures=[Figure([drawn], "Embeddings have length 1, so that distances are at most 2.")])
