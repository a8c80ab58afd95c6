import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from reference.voc_folders import annotation, write_voc

from genviews.data import voc
from genviews.errors import DataError

CAT, DOG = ("cat", (1, 1, 10, 20), 0), ("dog", (11, 21, 60, 40), 1)


def test_boxes_labels_and_pixels(tmp_path: Path) -> None:
    folder = write_voc(tmp_path, {"a": [DOG, CAT], "b": [CAT], "c": []}, {"trainval": "c a", "test": "b"})
    train, test = voc(folder)
    assert train.class_names == test.class_names == ("cat", "dog")
    images, targets = train[torch.tensor([1, 0])]
    assert [path.stem for path in train.paths] == ["c", "a"]
    assert targets[0]["boxes"].tolist() == [[10, 20, 60, 40], [0, 0, 10, 20]] and targets[0]["boxes"].dtype == torch.float32
    assert targets[0]["labels"].tolist() == [2, 1] and targets[0]["difficult"].tolist() == [True, False]
    assert targets[1]["boxes"].shape == (0, 4) and targets[1]["labels"].dtype == torch.int64
    expected = np.asarray(Image.open(folder / "JPEGImages" / "a.png")).transpose(2, 0, 1)
    assert np.array_equal(images[0].numpy(), expected)


@pytest.mark.parametrize(
    ("lists", "train", "test"),
    [
        ({"trainval": "a b", "test": "c"}, "ab", "c"),
        ({"train": "a", "val": "b", "test": "c"}, "ab", "c"),
        ({"train": "b a", "val": "c"}, "ba", "c"),
    ],
)
def test_lists_make_the_split(lists: dict[str, str], train: str, test: str, tmp_path: Path) -> None:
    parts = voc(write_voc(tmp_path, {name: [CAT] for name in "abcd"}, lists))
    assert ["".join(path.stem for path in part.paths) for part in parts] == [train, test]


def test_without_lists_the_same_fifth_is_held_out(tmp_path: Path) -> None:
    images = {f"{i:02}": [CAT] for i in range(10)}
    (train, test), again = voc(write_voc(tmp_path / "x", images)), voc(write_voc(tmp_path / "y", images))[1]
    assert (len(train), len(test)) == (8, 2) and {p.stem for p in (*train.paths, *test.paths)} == set(images)
    assert [path.name for path in test.paths] == [path.name for path in again.paths]


@pytest.mark.parametrize("above", ["VOCdevkit", "."])
def test_07_and_12_are_joined(above: str, tmp_path: Path) -> None:
    first = {"trainval": "a", "test": "b"}
    write_voc(tmp_path / above / "VOC2007", {"a": [CAT], "b": [CAT]}, first)
    write_voc(tmp_path / above / "VOC2012", {"a": [DOG], "b": [DOG]}, {"trainval": "a b", "train": "a", "val": "b"})
    train, test = voc(tmp_path)
    assert [(path.parents[1].name, path.stem) for path in train.paths] == [("VOC2007", "a"), ("VOC2012", "a"), ("VOC2012", "b")]
    assert [(path.parents[1].name, path.stem) for path in test.paths] == [("VOC2007", "b")]
    assert [target["labels"].tolist() for target in train.targets] == [[1], [2], [2]]


def test_an_archive_is_read(tmp_path: Path) -> None:
    write_voc(tmp_path / "x", {"a": [CAT], "b": [DOG, CAT]}, {"trainval": "a", "test": "b"})
    archive = shutil.make_archive(str(tmp_path / "cells"), "zip", tmp_path / "x")
    train, test = voc(archive, tmp_path / "cache")
    assert [train.targets[0]["labels"].tolist(), test.targets[0]["labels"].tolist()] == [[1], [2, 1]]
    assert train[torch.tensor([0])][0][0].shape == (3, 40, 60)


def test_boxes_beyond_the_image_are_clipped_and_flat_ones_dropped_with_a_warning(tmp_path: Path) -> None:
    flat, inverted, outside = (("cat", box, 0) for box in ((5, 5, 5, 9), (9, 5, 5, 9), (61, 1, 70, 9)))
    beyond = ("cat", (0, 1, 61, 40), 0)
    folder = write_voc(tmp_path, {"a": [flat, CAT, inverted], "b": [beyond, outside]}, {"trainval": "a", "test": "b"})
    with pytest.warns() as caught:
        train, test = voc(folder)
    assert train.targets[0]["boxes"].tolist() == [[0, 0, 10, 20]] and test.targets[0]["boxes"].tolist() == [[0, 0, 60, 40]]
    said = sorted(str(warning.message) for warning in caught)
    assert said[0].endswith("1 box(es) clipped to the image: b.xml")
    assert said[1].endswith("3 box(es) dropped, having no area: a.xml, b.xml")


def test_a_box_as_large_as_the_image_or_two_pixels_wide_is_kept_in_silence(tmp_path: Path) -> None:
    images = {"a": [("cat", (1, 1, 60, 40), 0), ("cat", (5, 5, 6, 6), 0)], "b": [CAT]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train, _ = voc(write_voc(tmp_path, images, {"trainval": "a", "test": "b"}))
    assert train.targets[0]["boxes"].tolist() == [[0, 0, 60, 40], [4, 4, 6, 6]]


def broken(folder: Path, what: str) -> None:
    xml, image = folder / "Annotations" / "a.xml", folder / "JPEGImages" / "a.png"
    match what:
        case "cut":
            xml.write_text(xml.read_text()[:-20])
        case "word":
            xml.write_text(annotation([CAT]).replace("<xmax>10<", "<xmax>ten<"))
        case "nan":
            xml.write_text(annotation([CAT]).replace("<xmax>10<", "<xmax>nan<"))
        case "nameless":
            xml.write_text(annotation([("", (1, 1, 5, 5), 0)]))
        case "no xml":
            xml.unlink()
        case "no image":
            image.unlink()
        case "no picture":
            image.write_text("x")
        case "no box":
            xml.write_text(annotation([]))
        case "difficult":
            (folder / "Annotations" / "b.xml").write_text(annotation([DOG]))
        case "no folder":
            shutil.rmtree(folder / "JPEGImages")


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("cut", "a.xml is missing or no annotation"),
        ("word", "a.xml is missing or no annotation"),
        ("nan", "a.xml has an object without a name or with a box that is no number"),
        ("nameless", "a.xml has an object without a name"),
        ("no xml", "a.xml is missing"),
        ("no image", "holds no image a; restore it"),
        ("no picture", "a.png cannot be read as an image"),
        ("no box", "holds no box to train on"),
        ("difficult", "holds no box to test on but difficult ones"),
        ("no folder", "lacks JPEGImages or Annotations"),
    ],
)
def test_what_cannot_be_read_is_named(what: str, named: str, tmp_path: Path) -> None:
    folder = write_voc(tmp_path, {"a": [CAT], "b": [CAT]}, {"trainval": "a", "test": "b"})
    broken(folder, what)
    with pytest.raises(DataError, match=named):
        voc(folder)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder and no zip archive"):
        voc(tmp_path / "missing.zip")
    with pytest.raises(DataError, match="lacks JPEGImages or Annotations"):
        voc(tmp_path)
    with pytest.raises(DataError, match="holds 1 annotation"):
        voc(write_voc(tmp_path, {"a": [CAT]}))


def test_blood_cells(shared: Path, tmp_path: Path) -> None:
    with pytest.warns(match="2 box.es. dropped, having no area: BloodImage_00338.xml, BloodImage_00343.xml"):
        train, test = voc(shared / "data" / "bccd_voc.zip", tmp_path)
    assert (len(train), len(test), train.class_names) == (292, 72, ("Platelets", "RBC", "WBC"))
    targets = [*train.targets, *test.targets]
    assert sum(len(target["boxes"]) for target in targets) == 4886
    boxes = torch.cat([target["boxes"] for target in targets])
    assert boxes[:, :2].amin() == 0 and boxes.amax(0).tolist()[2:] == [640, 480]
