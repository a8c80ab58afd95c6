"""Images with boxes, in Pascal VOC's folders of XML."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import DataError
from .archives import unpack
from .images import EXTENSIONS, decode

Target = dict[str, Tensor]
"""torchvision's of an image with n boxes: `boxes` float32 (n, 4), x0 y0 x1 y1 in pixels from the image's upper left corner, the
last excluded; `labels` int64 (n,) from 1, for 0 is the background; and `difficult` bool (n,)."""


@dataclass(frozen=True)
class BoxedImages:
    """Image files, decoded when asked for, and their boxes: `images[indices (B,)] -> (B uint8 (3, H, W), B targets)`.

    Args:
        paths: The files.
        targets: The boxes of each.
        class_names: Name of each label, that of label 1 first.
    """

    paths: Sequence[Path]
    targets: Sequence[Target]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, indices: Tensor) -> tuple[list[Tensor], list[Target]]:
        chosen = indices.tolist()
        pixels = [torch.from_numpy(np.array(decode(self.paths[i]).convert("RGB"))).permute(2, 0, 1) for i in chosen]
        return pixels, [self.targets[i] for i in chosen]


@dataclass(frozen=True)
class _Annotation:
    """What one XML file says of its image; `corners` float32 (n, 4) are VOC's, which count from 1 and include the last pixel."""

    xml: Path
    image: Path
    corners: Tensor
    names: list[str]
    difficult: Tensor


def voc(path: Path | str, root: Path | str = "~/.cache/genviews") -> tuple[BoxedImages, BoxedImages]:
    """Reads Pascal VOC's layout: `JPEGImages` and `Annotations`, with `ImageSets/Main` where there is a split.

    Args:
        path: A folder of VOC2007 and VOC2012, or that of their VOCdevkit (07+12: both trainval parts, 2007's test part), or any
            such folder: its trainval and test lists, else train and val, else a fixed fifth is held out. Or a zip archive of it.
        root: Where archives are unpacked.

    Returns:
        The training and the test part; label i is the i-th of the sorted class names, from 1. Boxes are clipped to their image
        and those without an area (xmax = xmin or ymax = ymin) are dropped; a warning names the files.

    Raises:
        DataError: If the folder is not so laid out, an XML file is broken, an image is missing or cannot be read, or there is no
            box, but difficult ones, to train or to test on.
    """
    path = Path(path).expanduser()
    folder = unpack(path, Path(root).expanduser()) if path.suffix == ".zip" and path.is_file() else path
    if not folder.is_dir():
        raise DataError(f"{path} is no folder and no zip archive; give Pascal VOC's, of JPEGImages and Annotations")
    base = folder / "VOCdevkit" if (folder / "VOCdevkit").is_dir() else folder
    first, *more = [base / year for year in ("VOC2007", "VOC2012") if (base / year).is_dir()] or [base]
    images = {year: _images(year) for year in (first, *more)}
    train, test = _split(first)
    train += [xml for year in more for xml in _listed(year, "trainval")]
    parts = [[_read(xml, images[xml.parents[1]]) for xml in part] for part in (train, test)]
    class_names = tuple(sorted({name for part in parts for annotation in part for name in annotation.names}))
    train_targets, test_targets = _targets(path, parts, class_names)
    for part, targets in (("train on", train_targets), ("test on", test_targets)):
        if all(target["difficult"].all() for target in targets):
            raise DataError(f"{path} holds no box to {part} but difficult ones; check its annotations")
    train_paths, test_paths = ([annotation.image for annotation in part] for part in parts)
    return BoxedImages(train_paths, train_targets, class_names), BoxedImages(test_paths, test_targets, class_names)


def _images(folder: Path) -> dict[str, Path]:
    """The image files by their stems."""
    if not (folder / "JPEGImages").is_dir() or not (folder / "Annotations").is_dir():
        raise DataError(f"{folder} lacks JPEGImages or Annotations; give a folder in Pascal VOC's layout")
    return {path.stem: path for path in (folder / "JPEGImages").iterdir() if path.suffix.lower() in EXTENSIONS}


def _listed(folder: Path, part: str) -> list[Path]:
    """The annotations in a list of `ImageSets/Main`; none if there is no such list."""
    path = folder / "ImageSets" / "Main" / f"{part}.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [folder / "Annotations" / f"{line.split()[0]}.xml" for line in lines if line.strip()]


def _split(folder: Path) -> tuple[list[Path], list[Path]]:
    train, val, test = (_listed(folder, part) for part in ("train", "val", "test"))
    if test and (trainval := _listed(folder, "trainval") or train + val):
        return trainval, test
    if train and val:
        return train, val
    xmls = sorted((folder / "Annotations").glob("*.xml"))
    if len(xmls) < 2:
        raise DataError(f"{folder} holds {len(xmls)} annotation(s); it takes two or more to train on some and test on the others")
    order = torch.randperm(len(xmls), generator=torch.Generator().manual_seed(0)).tolist()
    held_out = set(order[: max(1, len(xmls) // 5)])
    return [xml for i, xml in enumerate(xmls) if i not in held_out], [xml for i, xml in enumerate(xmls) if i in held_out]


def _read(xml: Path, images: dict[str, Path]) -> _Annotation:
    if xml.stem not in images:
        raise DataError(f"{xml.parents[1] / 'JPEGImages'} holds no image {xml.stem}; restore it or take it out of the lists")
    try:
        objects = ElementTree.parse(xml).getroot().findall("object")
        corners = [[float(o.findtext(f"bndbox/{corner}", "")) for corner in ("xmin", "ymin", "xmax", "ymax")] for o in objects]
        names = [o.findtext("name", "").strip() for o in objects]
        difficult = [int(o.findtext("difficult") or 0) == 1 for o in objects]
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{xml} is missing or no annotation of Pascal VOC ({error}); restore it") from None
    if not all(names) or not np.isfinite(corners).all():
        raise DataError(f"{xml} has an object without a name or with a box that is no number; correct it")
    return _Annotation(
        xml, images[xml.stem], torch.tensor(corners).reshape(-1, 4), names, torch.tensor(difficult, dtype=torch.bool)
    )


def _targets(source: Path, parts: list[list[_Annotation]], class_names: tuple[str, ...]) -> list[list[Target]]:
    """The boxes, clipped to their images and without those of no area; warns of both."""
    clipped: list[str] = []
    dropped: list[str] = []

    def target(annotation: _Annotation) -> Target:
        written = annotation.corners - torch.tensor([1.0, 1, 0, 0])
        width, height = _size(annotation.image)
        boxes = written.clamp(min=0).minimum(torch.tensor([width, height, width, height]))
        kept = (boxes[:, 2:] - boxes[:, :2] > 1).all(1)
        clipped.extend([annotation.xml.name] * int((kept & (boxes != written).any(1)).sum()))
        dropped.extend([annotation.xml.name] * int((~kept).sum()))
        labels = torch.tensor([1 + class_names.index(name) for name in annotation.names], dtype=torch.int64)
        return {"boxes": boxes[kept], "labels": labels[kept], "difficult": annotation.difficult[kept]}

    targets = [[target(annotation) for annotation in part] for part in parts]
    for names, what in ((clipped, "clipped to the image"), (dropped, "dropped, having no area")):
        if names:
            files = list(dict.fromkeys(names))
            rest = f" and {len(files) - 10} more files" if len(files) > 10 else ""
            warnings.warn(f"{source}: {len(names)} box(es) {what}: {', '.join(files[:10])}{rest}", stacklevel=3)
    return targets


def _size(image: Path) -> tuple[int, int]:
    """(width, height) by the file's header."""
    try:
        with Image.open(image) as file:
            return file.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{image} cannot be read as an image ({error}); restore it or take it out of the lists") from None
