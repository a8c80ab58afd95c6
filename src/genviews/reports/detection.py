"""The report of a detector: its average precision and what it finds on a few test images."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import pad, resize
from torchvision.utils import draw_bounding_boxes

from ..data import BoxedImages
from ..data.voc import Target
from .figures import curves, save_grid
from .page import Cell, Figure, Number, Section, Table, again, made, picture, plot, write_page
from .run_folder import read_metrics

NEEDED = (
    *("backbone", "scratch", "data", "training_images", "steps", "mean", "classes", "images", "boxes"),
    *("date", "version", "device"),
)
"""What results.json of a detection holds."""

LOSSES = ("loss", "loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg")

TRUE, FOUND = "white", "#ff5a1f"


def save_detections(
    path: Path, predictions: list[Target], data: BoxedImages, count: int = 6, side: int = 480, score: float = 0.5
) -> None:
    """Draws the true and the found boxes of the first images into one PNG file.

    Args:
        path: The file.
        predictions: `boxes` (n, 4) in pixels, `labels` (n,), `scores` (n,) of each image.
        data: The images and their true boxes.
        count: How many images.
        side: What the longer side of an image becomes, in pixels.
        score: The least with which a box is drawn.
    """
    shown = torch.arange(min(count, len(data)))
    tiles = []
    for image, truth, found in zip(*data[shown], predictions, strict=False):
        scale = side / max(image.shape[-2:])
        height, width = (round(scale * length) for length in image.shape[-2:])
        sure = found["scores"] >= score
        names = [data.class_names[label - 1] for label in found["labels"][sure].tolist()]
        tile = _draw(resize(image, [height, width], antialias=True), truth["boxes"] * scale, TRUE, 3)
        tiles.append(_draw(tile, found["boxes"][sure] * scale, FOUND, 1, names))
    height, width = (max(tile.shape[axis] for tile in tiles) for axis in (1, 2))
    padded = [pad(tile, [0, 0, width - tile.shape[2], height - tile.shape[1]]) for tile in tiles]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_grid(path, torch.stack(padded), columns=min(3, len(tiles)), pad=4)


def _draw(image: Tensor, boxes: Tensor, colour: str, width: int, names: list[str] | None = None) -> Tensor:
    return draw_bounding_boxes(image, boxes, names, colour, width=width) if len(boxes) else image


def write(run: Path, results: dict[str, Any]) -> Path:
    """The page of a detector; see `write_report`."""
    metrics = read_metrics(run / "metrics.csv")
    steps = metrics.pop("step", np.zeros(0))
    sheet, page = run / "images" / "detections.png", run / "report.html"
    titles = {"ap": "AP", "ap50": "AP50", "ap75": "AP75"}
    rows = [
        [Cell(name), *(Cell(f"{100 * scores[key]:.1f}", strong=name == "mean") for key in titles)]
        for name, scores in {"mean": results["mean"], **results["classes"]}.items()
    ]
    losses = {name.removeprefix("loss_").replace("_", " "): metrics[name] for name in LOSSES if name in metrics}
    plots = [plot(curves(steps, losses), "the losses over the steps")] if losses else []
    found = [picture(sheet, "true and found boxes on test images", width=960)] if sheet.exists() else []
    write_page(
        page,
        f"Detection on {Path(results['data']).name}",
        f"A Faster R-CNN of {'an untrained' if results['scratch'] else 'a pretrained'} {results['backbone']}, fine-tuned on "
        f"{results['training_images']:,} images for {results['steps']:,} steps; tested on {results['boxes']:,} boxes in "
        f"{results['images']:,} images.",
        [
            Section("Found", figures=[Figure(found, "True boxes are white; found ones, of a score of 0.5 or more, orange.")]),
            Section("Classes", tables=[Table(["class", *titles.values()], rows, "COCO's average precision in percent.")]),
            Section("Curves", figures=[Figure(plots, "As metrics.csv has them.")]),
            again(run, "evaluate detection"),
        ],
        kicker="genviews · detection",
        facts=made(results),
        numbers=[Number(f"{100 * results['mean'][key]:.1f}", title) for key, title in titles.items()],
    )
    return page
