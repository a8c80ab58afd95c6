"""The sets of photographs by which the field judges transfer, read from where torchvision's downloads lay them."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..errors import DataError
from ..metrics.classification import ranks_within_class
from .images import EXTENSIONS, FileImages, Splits

Rows = list[tuple[str, str]]
"""Files, relative to the set's folder, and the names of their classes."""


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _matlab(path: Path, **options: Any) -> dict[str, Any]:
    from scipy.io import loadmat

    return loadmat(BytesIO(path.read_bytes()), **options)


def _food101(folder: Path) -> dict[str, Rows]:
    return {
        part: [(f"images/{line}.jpg", line.split("/")[0]) for line in _lines(folder / "meta" / f"{part}.txt")]
        for part in ("train", "test")
    }


def _sun397(folder: Path) -> dict[str, Rows]:
    lists = {"train": "Training_01.txt", "test": "Testing_01.txt"}  # lines are /a/abbey/sun_aaalbzqrimafwbiv.jpg
    return {part: [(line[1:], line[3:].rpartition("/")[0]) for line in _lines(folder / name)] for part, name in lists.items()}


def _pets(folder: Path) -> dict[str, Rows]:
    def rows(part: str) -> Rows:
        names = [line.split()[0] for line in _lines(folder / "annotations" / f"{part}.txt")]
        return [(f"images/{name}.jpg", name.rpartition("_")[0]) for name in names]

    return {"train": rows("trainval"), "test": rows("test")}


def _caltech101(folder: Path) -> dict[str, Rows]:
    base = folder / "101_ObjectCategories"
    paths = [path for class_ in sorted(base.iterdir()) for path in sorted(class_.glob("*.jpg"))]
    rows = [(str(path.relative_to(folder)), path.parent.name) for path in paths]
    classes = sorted({name for _, name in rows})
    train = ranks_within_class(torch.tensor([classes.index(name) for _, name in rows]), seed=0) < 30
    return {
        "train": [row for row, drawn in zip(rows, train, strict=True) if drawn],
        "test": [row for row, drawn in zip(rows, train, strict=True) if not drawn],
    }


def _flowers102(folder: Path) -> dict[str, Rows]:
    labels = _matlab(folder / "imagelabels.mat")["labels"][0]
    parts = _matlab(folder / "setid.mat")
    return {
        part: [(f"jpg/image_{i:05d}.jpg", f"{labels[i - 1]:03d}") for i in parts[key][0]]
        for part, key in {"train": "trnid", "validation": "valid", "test": "tstid"}.items()
    }


def _aircraft(folder: Path) -> dict[str, Rows]:
    def rows(part: str) -> Rows:
        pairs = [line.split(" ", 1) for line in _lines(folder / "data" / f"images_variant_{part}.txt")]
        return [(f"data/images/{name}.jpg", variant) for name, variant in pairs]

    return {"train": rows("train"), "validation": rows("val"), "test": rows("test")}


def _cars(folder: Path) -> dict[str, Rows]:
    names = [str(name[0]) for name in _matlab(folder / "devkit" / "cars_meta.mat")["class_names"][0]]

    def rows(images: str, annotations: str) -> Rows:
        found = _matlab(folder / annotations, squeeze_me=True)["annotations"]
        return [(f"{images}/{file}", names[int(label) - 1]) for file, label in zip(found["fname"], found["class"], strict=True)]

    return {
        "train": rows("cars_train", "devkit/cars_train_annos.mat"),
        "test": rows("cars_test", "cars_test_annos_withlabels.mat"),
    }


def _dtd(folder: Path) -> dict[str, Rows]:
    def rows(part: str) -> Rows:
        return [(f"images/{line}", line.split("/")[0]) for line in _lines(folder / "labels" / f"{part}1.txt")]

    return {"train": rows("train"), "validation": rows("val"), "test": rows("test")}


def _birdsnap(folder: Path) -> dict[str, Rows]:
    return {
        part: [
            (str(path.relative_to(folder)), class_.name)
            for class_ in sorted((folder / part).iterdir())
            for path in sorted(class_.iterdir())
            if path.suffix.lower() in EXTENSIONS
        ]
        for part in ("train", "test")
    }


class Layout(NamedTuple):
    """Where in the cache a set lies, what reads its parts there, and what puts it there."""

    folder: str
    read: Callable[[Path], dict[str, Rows]]
    origin: str


SETS = {
    "food101": Layout("food-101", _food101, "torchvision.datasets.Food101"),
    "sun397": Layout("SUN397", _sun397, "torchvision.datasets.SUN397 and the lists of its authors' Partitions.zip"),
    "pets": Layout("oxford-iiit-pet", _pets, "torchvision.datasets.OxfordIIITPet"),
    "caltech101": Layout("caltech101", _caltech101, "torchvision.datasets.Caltech101"),
    "flowers102": Layout("flowers-102", _flowers102, "torchvision.datasets.Flowers102"),
    "aircraft": Layout("fgvc-aircraft-2013b", _aircraft, "torchvision.datasets.FGVCAircraft"),
    "cars": Layout("stanford_cars", _cars, "torchvision.datasets.StanfordCars"),
    "dtd": Layout("dtd/dtd", _dtd, "torchvision.datasets.DTD"),
    "birdsnap": Layout("birdsnap", _birdsnap, "folders train/CLASS and test/CLASS of images"),
}
"""The parts are those of Kornblith et al. (2019, table 1): the authors' own train, validation and test, the variants of Aircraft,
split 1 of DTD and SUN397; of Caltech-101 30 images a class, drawn once with seed 0, are for training and the rest, background
images among them as a 102nd class, for the test. SUN397's lists lie in its folder; where train and validation come as one (Pets)
or there is no validation part, protocols hold one out themselves."""


def load(name: str, root: Path, image_size: int) -> Splits[FileImages]:
    """One of `SETS`, its images decoded when asked for.

    Args:
        name: A key of `SETS`.
        root: Where its folder lies.
        image_size: Side in pixels; images are resized on the short side and centre-cropped.

    Raises:
        DataError: If it is not there, or its lists are damaged.
    """
    layout = SETS[name]
    folder = root / layout.folder
    try:
        parts = layout.read(folder)
    except OSError as error:
        raise DataError(f"{name} is not in {folder} ({error}); put there {layout.origin}") from None
    except Exception as error:  # whatever a damaged list makes its reader raise
        raise DataError(f"{name}: a list in {folder} is damaged ({error!r}); put there again {layout.origin}") from None
    classes = tuple(sorted({label for rows in parts.values() for _, label in rows}))
    index = {label: i for i, label in enumerate(classes)}

    def images(rows: Rows) -> FileImages:
        labels = torch.tensor([index[label] for _, label in rows])
        return FileImages([folder / file for file, _ in rows], labels, classes, (3, image_size, image_size))

    return Splits(**{part: images(rows) for part, rows in parts.items()})
