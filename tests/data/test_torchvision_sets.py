"""The field's photographs, in folders laid out as torchvision's downloads: what torchvision reads there, we read."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

from genviews.data import FileImages, Splits, load
from genviews.data.torchvision_sets import SETS
from genviews.errors import DataError

Rows = list[tuple[str, str]]


def picture(path: Path) -> None:
    """An image that its path determines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(path.name.encode()))
    Image.fromarray(rng.integers(256, size=(12, 9, 3), dtype=np.uint8)).save(path)


def write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def lay_food101(root: Path) -> None:
    folder = root / "food-101"
    for part, names in {"train": ["tart/2", "tart/1", "soup/3"], "test": ["soup/4", "tart/5"]}.items():
        for name in names:
            picture(folder / "images" / f"{name}.jpg")
        write(folder / "meta" / f"{part}.txt", names)
        classes = sorted({name.split("/")[0] for name in names})
        content = {class_: [name for name in names if name.startswith(class_)] for class_ in classes}
        (folder / "meta" / f"{part}.json").write_text(json.dumps(content))


def lay_sun397(root: Path) -> None:
    write(root / "SUN397" / "ClassName.txt", ["/a/abbey", "/a/apse/indoor"])
    parts = {"Training": ["/a/apse/indoor/sun_c.jpg", "/a/abbey/sun_a.jpg"], "Testing": ["/a/abbey/sun_b.jpg"]}
    for part, names in parts.items():
        write(root / "SUN397" / f"{part}_01.txt", names)
        for name in names:
            picture(root / "SUN397" / name[1:])


def lay_pets(root: Path) -> None:
    folder = root / "oxford-iiit-pet"
    parts = {"trainval": ["great_pyrenees_2 2 2 1", "Bengal_1 1 1 1"], "test": ["Bengal_10 1 1 1", "great_pyrenees_9 2 2 1"]}
    for part, lines in parts.items():
        write(folder / "annotations" / f"{part}.txt", lines)
        for line in lines:
            picture(folder / "images" / f"{line.split()[0]}.jpg")


def lay_caltech101(root: Path) -> None:
    for class_, count in {"ant": 31, "BACKGROUND_Google": 33, "crab": 40}.items():
        for i in range(count):
            picture(root / "caltech101" / "101_ObjectCategories" / class_ / f"image_{i:04d}.jpg")


def lay_flowers102(root: Path) -> None:
    folder = root / "flowers-102"
    for i in range(1, 8):
        picture(folder / "jpg" / f"image_{i:05d}.jpg")
    savemat(folder / "imagelabels.mat", {"labels": np.array([[2, 1, 2, 1, 2, 1, 1]], np.uint8)})
    savemat(folder / "setid.mat", {"trnid": np.array([[5, 2]]), "valid": np.array([[1, 4]]), "tstid": np.array([[3, 6, 7]])})


def lay_aircraft(root: Path) -> None:
    data = root / "fgvc-aircraft-2013b" / "data"
    write(data / "variants.txt", ["707-320", "An-12", "F/A-18"])
    parts = {"train": ["2 An-12", "1 707-320", "7 F/A-18"], "val": ["3 707-320", "4 An-12"], "test": ["6 An-12", "5 707-320"]}
    for part, lines in parts.items():
        write(data / f"images_variant_{part}.txt", lines)
        for line in lines:
            picture(data / "images" / f"{line.split()[0]}.jpg")


def lay_cars(root: Path) -> None:
    folder = root / "stanford_cars"

    def annotations(path: Path, images: str, rows: list[tuple[str, int]]) -> None:
        for file, _ in rows:
            picture(folder / images / file)
        path.parent.mkdir(parents=True, exist_ok=True)
        savemat(path, {"annotations": np.array([rows], [("fname", "O"), ("class", "O")])})

    annotations(folder / "devkit" / "cars_train_annos.mat", "cars_train", [("00001.jpg", 2), ("00002.jpg", 1), ("00003.jpg", 2)])
    annotations(folder / "cars_test_annos_withlabels.mat", "cars_test", [("00001.jpg", 1), ("00002.jpg", 2)])
    savemat(folder / "devkit" / "cars_meta.mat", {"class_names": np.array([["AM General Hummer", "Acura TL"]], object)})


def lay_dtd(root: Path) -> None:
    folder = root / "dtd" / "dtd"
    parts = {"train": ["waffled/w_1.jpg", "banded/b_1.jpg"], "val": ["banded/b_2.jpg", "waffled/w_2.jpg"]}
    for part, names in {**parts, "test": ["waffled/w_3.jpg", "banded/b_3.jpg"]}.items():
        write(folder / "labels" / f"{part}1.txt", names)
        for name in names:
            picture(folder / "images" / name)


def lay_birdsnap(root: Path) -> None:
    for name in ("train/crow/0.jpg", "train/wren/1.png", "train/wren/2.jpg", "test/wren/3.jpg", "test/crow/4.jpg"):
        picture(root / "birdsnap" / name)
    (root / "birdsnap" / "train" / "crow" / "notes.txt").touch()


LAY = {name: globals()[f"lay_{name}"] for name in SETS}


def rows(images: FileImages) -> Rows:
    return [(str(path), images.class_names[label]) for path, label in zip(images.paths, images.labels.tolist(), strict=True)]


def theirs(dataset: Any) -> Rows:
    """What a torchvision data set holds."""
    if hasattr(dataset, "_samples"):  # the cars
        return [(str(path), dataset.classes[label]) for path, label in dataset._samples]
    paths = getattr(dataset, "_image_files", None) or dataset._images
    classes = getattr(dataset, "classes", None)
    return [(str(path), classes[i] if classes else str(i)) for path, i in zip(paths, dataset._labels, strict=True)]


@pytest.mark.parametrize(
    ("name", "cls", "parts"),
    [
        ("food101", datasets.Food101, {"train": "train", "test": "test"}),
        ("pets", datasets.OxfordIIITPet, {"train": "trainval", "test": "test"}),
        ("aircraft", datasets.FGVCAircraft, {"train": "train", "validation": "val", "test": "test"}),
        ("cars", datasets.StanfordCars, {"train": "train", "test": "test"}),
        ("dtd", datasets.DTD, {"train": "train", "validation": "val", "test": "test"}),
    ],
)
def test_the_parts_are_torchvisions(
    name: str, cls: Any, parts: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LAY[name](tmp_path)
    monkeypatch.setattr(cls, "_check_exists", lambda self: True)  # which looks for files that are not read
    splits = load(name, image_size=8, root=tmp_path)
    for part, split in parts.items():
        expected = theirs(cls(tmp_path, split=split))
        if name == "pets":
            expected = [(path, class_.replace(" ", "_")) for path, class_ in expected]
            assert [(path, class_.title()) for path, class_ in rows(getattr(splits, part))] == expected
        else:
            assert sorted(rows(getattr(splits, part))) == sorted(expected)
    assert (splits.validation is None) == ("validation" not in parts)


@pytest.mark.parametrize("name", SETS)
def test_images_come_cropped_with_the_names_of_their_classes(name: str, tmp_path: Path) -> None:
    LAY[name](tmp_path)
    splits: Splits = load(name, image_size=8, root=tmp_path)
    for part in (splits.train, splits.test, splits.validation):
        if part is not None:
            images, labels = part[torch.arange(len(part))]
            assert images.shape == (len(part), 3, 8, 8) and images.dtype == torch.uint8 and labels.equal(part.labels)
            assert part.labels.dtype == torch.int64 and part.class_names == splits.train.class_names
            assert splits.train.class_names == tuple(sorted(splits.train.class_names))
    assert load(name, root=tmp_path).test.image_shape == (3, 224, 224)


def test_caltech_has_thirty_training_images_a_class_and_the_background(tmp_path: Path) -> None:
    lay_caltech101(tmp_path)
    train, test = load("caltech101", root=tmp_path)
    assert train.class_names == ("BACKGROUND_Google", "ant", "crab")
    assert train.labels.bincount().tolist() == [30, 30, 30] and test.labels.bincount().tolist() == [3, 1, 10]
    assert len({*rows(train)} | {*rows(test)}) == 104
    assert all(Path(path).parent.name == class_ for path, class_ in rows(train) + rows(test))
    assert rows(load("caltech101", root=tmp_path).train) == rows(train)


def test_flowers_sun_and_birds_follow_their_own_lists(tmp_path: Path) -> None:
    for name in ("flowers102", "sun397", "birdsnap"):
        LAY[name](tmp_path)
    flowers, sun, birds = (load(name, root=tmp_path) for name in ("flowers102", "sun397", "birdsnap"))
    jpg = tmp_path / "flowers-102" / "jpg"
    assert rows(flowers.train) == [(str(jpg / "image_00005.jpg"), "002"), (str(jpg / "image_00002.jpg"), "001")]
    assert [class_ for _, class_ in rows(flowers.validation)] == ["002", "001"]
    assert [class_ for _, class_ in rows(flowers.test)] == ["002", "001", "001"]
    assert rows(sun.train) == [
        (str(tmp_path / "SUN397/a/apse/indoor/sun_c.jpg"), "apse/indoor"),
        (str(tmp_path / "SUN397/a/abbey/sun_a.jpg"), "abbey"),
    ]
    assert [class_ for _, class_ in rows(birds.train)] == ["crow", "wren", "wren"] and len(birds.test) == 2


@pytest.mark.parametrize("name", SETS)
def test_a_set_that_is_not_there_says_what_puts_it_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=rf"{name} is not in {tmp_path}/.* \(.*No such file .*\); put there .*{SETS[name].origin[-8:]}"
    ):
        load(name, root=tmp_path)


@pytest.mark.parametrize(("name", "file"), [("aircraft", "data/images_variant_val.txt"), ("flowers102", "setid.mat")])
def test_damaged_lists_are_refused(name: str, file: str, tmp_path: Path) -> None:
    LAY[name](tmp_path)
    (tmp_path / SETS[name].folder / file).write_text("nonsense\n" * 20)
    with pytest.raises(DataError, match=rf"{name}: a list in .* is damaged \(.*\); put there again torchvision"):
        load(name, root=tmp_path)
