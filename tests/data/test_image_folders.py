import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from genviews.data import load
from genviews.data.images import read_image
from genviews.errors import DataError


def write(path: Path, mode: str = "RGB", size: tuple[int, int] = (12, 10)) -> None:
    """An image that its path determines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(path.name.encode()))
    Image.fromarray(rng.integers(256, size=(*size[::-1], 3), dtype=np.uint8)).convert(mode).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Class folders: 10 cats, some deeper, and 5 dogs."""
    for i in range(5):
        write(tmp_path / "cat" / f"{i}.png")
        write(tmp_path / "cat" / "more" / f"{i + 5}.JPG")
        write(tmp_path / "dog" / f"{i}.webp")
    (tmp_path / "dog" / "notes.txt").write_text("no image")
    return tmp_path


def test_class_folders(pets: Path) -> None:
    train, test = load(pets)
    assert train.class_names == test.class_names == ("cat", "dog")
    assert train.labels.bincount().tolist() == [8, 4] and test.labels.bincount().tolist() == [2, 1]
    everything = {path for path in pets.rglob("*.*") if path.suffix != ".txt"}
    assert {*train.paths} | {*test.paths} == everything and not {*train.paths} & {*test.paths}
    assert [path.relative_to(pets).parts[0] for path in train.paths] == [train.class_names[label] for label in train.labels]
    assert train.image_shape == (3, 10, 10)
    images, labels = train[torch.tensor([0, 9])]
    assert images.equal(torch.stack([read_image(train.paths[i], (3, 10, 10)) for i in (0, 9)])) and labels.tolist() == [0, 1]
    assert load(pets, image_size=6).test[torch.arange(3)][0].shape == (3, 3, 6, 6)


def test_images_alone_have_no_labels(tmp_path: Path) -> None:
    for i in range(10):
        write(tmp_path / f"{i}.png")
    train, test = load(tmp_path)
    assert (len(train), len(test)) == (8, 2) and train.class_names == ()
    assert train.labels.unique().tolist() == test.labels.unique().tolist() == [-1]


@pytest.mark.parametrize("held_out", ["test", "val", "validation"])
def test_a_split_folder(held_out: str, tmp_path: Path) -> None:
    for name in ("train/cat/0.png", "train/dog/1.png", "train/dog/2.png", f"{held_out}/cat/3.png", f"{held_out}/dog/4.png"):
        write(tmp_path / name)
    train, test = load(tmp_path)
    assert [path.name for path in train.paths] == ["0.png", "1.png", "2.png"] and train.labels.tolist() == [0, 1, 1]
    assert [path.name for path in test.paths] == ["3.png", "4.png"] and test.labels.tolist() == [0, 1]
    assert train.class_names == test.class_names == ("cat", "dog")


@pytest.mark.parametrize("name", ["val", "validation"])
def test_a_validation_folder_beside_a_test_folder_is_kept(name: str, tmp_path: Path) -> None:
    for path in (
        "train/cat/0.png",
        "train/dog/1.png",
        f"{name}/cat/2.png",
        f"{name}/dog/3.png",
        "test/cat/4.png",
        "test/dog/5.png",
    ):
        write(tmp_path / path)
    splits = load(tmp_path)
    assert [[path.name for path in part.paths] for part in (splits.train, splits.validation, splits.test)] == [
        ["0.png", "1.png"],
        ["2.png", "3.png"],
        ["4.png", "5.png"],
    ]
    assert splits.validation.labels.tolist() == [0, 1] and splits.validation.class_names == ("cat", "dog")
    train, test = splits
    assert train is splits.train and test is splits.test
    shutil.rmtree(tmp_path / name / "dog")
    with pytest.raises(DataError, match=rf"train and .*{name} must have the same classes; 'dog' is in only one of them"):
        load(tmp_path)


def test_a_training_folder_alone_is_split(pets: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("split")
    shutil.copytree(pets, folder / "train")
    train, test = load(folder)
    assert train.class_names == ("cat", "dog") and (len(train), len(test)) == (12, 3)


def test_a_class_may_be_called_train(pets: Path) -> None:
    (pets / "dog").rename(pets / "train")
    assert load(pets).train.class_names == ("cat", "train")


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("1", 1), ("P", 3)])
def test_the_first_image_decides_between_grey_and_rgb(mode: str, channels: int, tmp_path: Path) -> None:
    write(tmp_path / "0.png", mode)
    for i in range(1, 5):
        write(tmp_path / f"{i}.png", "RGB" if i % 2 else "L")
    train, _ = load(tmp_path)
    assert train.image_shape == (channels, 10, 10)
    assert train[torch.arange(4)][0].shape == (4, channels, 10, 10)


def test_an_unreadable_file_is_named_or_skipped(pets: Path) -> None:
    bad = [pets / "cat" / "3.png", pets / "dog" / "2.webp"]
    bad[0].write_bytes(bad[0].read_bytes()[:80])
    bad[1].write_text("<html>404</html>")
    with pytest.raises(
        DataError, match=rf"{bad[0]} cannot be read as an image \(2 such .*\); remove it or pass on_bad_file=skip"
    ):
        load(pets)
    with pytest.warns(UserWarning) as warned:
        train, test = load(pets, on_bad_file="skip")
    assert [str(warning.message) for warning in warned] == [f"skipped {path}: it cannot be read as an image" for path in bad]
    assert len(train) + len(test) == 13 and not {*bad} & {*train.paths, *test.paths}


@pytest.mark.filterwarnings("ignore:skipped")
def test_folders_without_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=r"holds no image \(.bmp, .jpeg, .*\); point --data to a folder of images or an npz file"):
        load(tmp_path)
    (tmp_path / "0.png").touch()
    with pytest.raises(DataError, match="holds no image that can be read"):
        load(tmp_path, on_bad_file="skip")
    (tmp_path / "0.png").unlink()
    write(tmp_path / "1.png")
    with pytest.raises(DataError, match="holds 1 image"):
        load(tmp_path)


def test_parts_of_other_classes_are_refused(tmp_path: Path) -> None:
    for name in ("train/cat/0.png", "train/dog/1.png", "test/cat/2.png"):
        write(tmp_path / name)
    with pytest.raises(DataError, match=r"train and .*test must have the same classes; 'dog' is in only one of them"):
        load(tmp_path)


def test_real_photographs(shared: Path, tmp_path: Path) -> None:
    splits = load(shared / "data" / "clothing_small_96_imagefolder.zip", image_size=32, root=tmp_path)
    train, test = splits
    assert (len(train), len(splits.validation), len(test), len(train.class_names)) == (3068, 341, 372, 10)
    assert train.class_names == test.class_names and train.labels.unique().tolist() == list(range(10))
    images, labels = test[torch.arange(0, 372, 40)]
    assert images.shape == (10, 3, 32, 32) and images.float().std(dim=(1, 2, 3)).min() > 5
    assert [path.parent.name for path in test.paths[::40]] == [test.class_names[label] for label in labels]
