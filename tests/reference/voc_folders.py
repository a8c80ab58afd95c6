"""Writes small folders in Pascal VOC's layout."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

Object = tuple[str, tuple[float, float, float, float], int]
"""A class, VOC's (xmin, ymin, xmax, ymax), and whether it is difficult."""


def write_voc(folder: Path, images: Mapping[str, Sequence[Object]], lists: Mapping[str, str] | None = None) -> Path:
    """Images of 60 x 40 noise, an XML file each, and lists of their names separated by blanks."""
    rng = np.random.default_rng(0)
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, objects in images.items():
        Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8)).save(folder / "JPEGImages" / f"{name}.png")
        (folder / "Annotations" / f"{name}.xml").write_text(annotation(objects))
    for part, names in (lists or {}).items():
        (folder / "ImageSets" / "Main" / f"{part}.txt").write_text("\n".join(names.split()) + "\n")
    return folder


def annotation(objects: Sequence[Object]) -> str:
    corners = ("xmin", "ymin", "xmax", "ymax")
    text = ""
    for name, box, difficult in objects:
        sides = "".join(f"<{corner}>{value}</{corner}>" for corner, value in zip(corners, box, strict=True))
        text += f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{sides}</bndbox></object>"
    return f"<annotation><size><width>1</width></size>{text}</annotation>"
