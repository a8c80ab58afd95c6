"""The report of mutual information: how estimates go with distances, how distances are distributed, where views lie."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..data.features import evaluating
from ..evaluation.information import Correlation, Information, Kind, gallery
from .figures import histogram, save_grid, scatter
from .page import Cell, Figure, Number, Section, Table, again, made, picture, plot, write_page
from .run_folder import read_pictures
from .scores import aligned, signed

NEEDED = ("encoder", "pairs", "temperature", "kinds", "correlations", "date", "version", "device")
"""What results.json of an evaluation of mutual information holds."""

TITLES = {"mine": "MINE, nats", "info_nce": "InfoNCE, nats", "proxy": "proxy", "distance": "distance"}
ANCHORS, DRAWS, SHOWN = 6, 16, 7
"""Images of each kind whose views are mapped, views of each, and those that are pictured."""
TOGETHER = 4
"""Histograms that can be told apart."""


def as_text(table: Mapping[str, Information], correlated: Mapping[str, Correlation]) -> str:
    """The table as a terminal shows it, and the correlations below."""
    lines = [["views", *TITLES.values()]]
    lines += [[name, *(f"{value:.3f}" for value in row.numbers().values())] for name, row in table.items()]
    below = [
        f"{TITLES[name].removesuffix(', nats')} against distance: Pearson {r.pearson:+.3f}, Spearman {r.spearman:+.3f}"
        for name, r in correlated.items()
    ]
    low = [name for name, row in table.items() if row.mine < 0]
    warning = (
        f"MINE is below 0 for {', '.join(low)}: what its critic learned does not hold for other pairs; give more samples, fewer "
        "critic.epochs or a lower critic.lr"
    )
    return "\n".join([aligned(lines), *(below or ["correlations take three kinds of views that differ"]), *[warning] * bool(low)])


def save_pictures(
    folder: Path, embedder: nn.Module, kinds: Mapping[str, Kind], table: Mapping[str, Information], seed: int = 0
) -> None:
    """Keeps what a page shows: views-K.png of kind K, an image and its views a row, and the plots' numbers in pictures.npz.

    Args:
        folder: Made if need be.
        embedder: As the table's.
        kinds: The table's.
        table: By `evaluation.mutual_information`.
        seed: Of the views.
    """
    folder.mkdir(parents=True, exist_ok=True)
    embeddings = []
    for place, kind in enumerate(kinds.values()):
        images = gallery(embedder, kind, ANCHORS, DRAWS, seed)
        save_grid(folder / f"views-{place}.png", images[:, : 1 + SHOWN].flatten(0, 1), 1 + SHOWN)
        with evaluating(embedder), torch.no_grad():
            embeddings.append(embedder(images.flatten(0, 1)).cpu())
    distances = {f"distances-{place}": row.distances.numpy() for place, row in enumerate(table.values())}
    places = _tsne(torch.cat(embeddings).numpy())
    arrays: dict[str, Any] = {"map": places.reshape(len(kinds), -1, 1 + DRAWS, 2), **distances}
    np.savez_compressed(folder / "pictures.npz", **arrays)


def _tsne(embeddings: np.ndarray) -> np.ndarray:
    """Places (n, 2) of embeddings (n, P)."""
    from openTSNE import TSNE  # takes seconds

    return np.asarray(TSNE(perplexity=min(30, len(embeddings) / 4), random_state=0, n_jobs=1).fit(embeddings))


def write(run: Path, results: dict[str, Any]) -> Path:
    """The page of an evaluation of mutual information; see `write_report`."""
    page = run / "report.html"
    arrays, names = read_pictures(run / "images" / "pictures.npz"), list(results["kinds"])
    rows = [[Cell(name), *(Cell(f"{row[key]:.3f}") for key in TITLES)] for name, row in results["kinds"].items()]
    write_page(
        page,
        f"Mutual information of {len(names)} kinds of views",
        f"How much two views of an image tell of each other, by the embeddings of {results['encoder']}: "
        f"{results['pairs']:,} pairs of each kind.",
        [
            Section("Information against distance", figures=[_against_distance(results)], tables=[_table(results, rows)]),
            *(_pictured(run / "images", arrays, names) if arrays else []),
            again(run, "evaluate mutual-information"),
        ],
        kicker="genviews · mutual information",
        facts=made(results),
        numbers=[
            Number(signed(r["spearman"], 2), f"{name}, rank correlation with distance", f"Pearson {signed(r['pearson'], 2)}")
            for name, r in zip(("MINE", "InfoNCE", "proxy"), results["correlations"].values(), strict=False)
        ],
    )
    return page


def _against_distance(results: dict[str, Any]) -> Figure:
    panels = []
    for estimate in ("mine", "info_nce"):
        points = {name: [[row["distance"], row[estimate]]] for name, row in results["kinds"].items()}
        svg = scatter(points, xlabel="mean distance of embeddings", ylabel=TITLES[estimate])
        panels.append(plot(svg, f"{TITLES[estimate]} against the mean distance of pairs, a point a kind of views"))
    return Figure(panels, "A point a kind of views.")


def _table(results: dict[str, Any], rows: Sequence[Sequence[Cell]]) -> Table:
    return Table(
        ["views", *TITLES.values()],
        rows,
        "MINE: the Donsker-Varadhan bound of a critic on pairs it did not learn from; below 0 where what it learned does not "
        f"hold for them. InfoNCE: at a temperature of {results['temperature']:g}, at most {np.log(results['pairs']):.2f}. Proxy: "
        "the mean inner product of embeddings. Distance: the mean of the pairs'.",
    )


def _pictured(images: Path, arrays: dict[str, Any], names: Sequence[str]) -> list[Section]:
    distances = list({name: arrays[f"distances-{place}"] for place, name in enumerate(names)}.items())
    parts = [dict(distances[start : start + TOGETHER]) for start in range(0, len(names), TOGETHER)]
    apart = [plot(histogram(part, xlabel="distance of embeddings"), "distances of pairs by kind of views") for part in parts]
    drawn = {name: places[:, 1:].reshape(-1, 2) for name, places in zip(names, arrays["map"], strict=True)}
    mapped = plot(scatter(drawn, xlabel="", ylabel="", ticks=False), "t-SNE of views, coloured by kind")
    views = [
        picture(images / f"views-{place}.png", f"images and their views: {name}", label=name) for place, name in enumerate(names)
    ]
    return [
        Section("How far apart", figures=[Figure(apart, "The share of pairs at each distance.")]),
        Section(
            "Views",
            figures=[
                Figure(views, f"An image, and {SHOWN} views of it to its right."),
                Figure([mapped], f"t-SNE of {DRAWS} views of each of these images; those of one image make a cluster."),
            ],
        ),
    ]
