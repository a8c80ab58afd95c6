"""Data sets by name: the built-in one, torchvision's, npz files."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torchvision import datasets

from genviews.data import load
from genviews.errors import DataError, OptionError

RNG = np.random.default_rng(0)
GREY, RGB = RNG.integers(256, size=(20, 6, 7), dtype=np.uint8), RNG.integers(256, size=(20, 6, 7, 3), dtype=np.uint8)
LABELS = np.arange(20) % 4


def chw(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images[:, None] if images.ndim == 3 else np.moveaxis(images, 3, 1).copy())


def test_digits_are_split_by_a_fifth_of_each_class() -> None:
    images, labels = load_digits(return_X_y=True)
    rows = np.arange(1797).reshape(-1, 1)
    expected = [np.sort(part[:, 0]) for part in train_test_split(rows, test_size=360, random_state=0, stratify=labels)]
    for part, indices, n in zip(load("digits"), expected, (1437, 360), strict=True):
        assert len(part) == n and part.image_shape == (1, 8, 8) and part.class_names == tuple("0123456789")
        assert part.labels.tolist() == labels[indices].tolist()
        assert (part.images.flatten(1) - torch.from_numpy(images[indices]) * 255 / 16).abs().max() <= 0.5
        shares = part.labels.bincount() / n - torch.from_numpy(labels).bincount() / 1797
        assert shares.abs().max() < 0.002


def test_images_are_resized_when_asked_for() -> None:
    train, test = load("digits", image_size=16)
    assert train.image_shape == test.image_shape == (1, 16, 16)
    assert train.images.equal(load("digits").train.resized(16).images)


@pytest.mark.parametrize("images", [GREY, RGB])
def test_npz_that_is_split(images: np.ndarray, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz",
        images_train=images[:15],
        labels_train=LABELS[:15].astype(np.uint8),
        images_test=images[15:],
        labels_test=LABELS[15:],
        class_names=np.array(["cat", "dog", "eel", "fox"]),
    )
    train, test = load(tmp_path / "a.npz")
    assert train.images.equal(chw(images[:15])) and test.images.equal(chw(images[15:]))
    assert train.labels.tolist() == LABELS[:15].tolist() and test.labels.tolist() == LABELS[15:].tolist()
    assert train.labels.dtype == torch.int64 and train.class_names == test.class_names == ("cat", "dog", "eel", "fox")


@pytest.mark.parametrize("images", [GREY, RGB])
def test_npz_without_a_split_has_a_fifth_of_each_class_held_out(images: np.ndarray, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=images, labels=LABELS)
    train, test = load(str(tmp_path / "a.npz"))
    assert test.labels.bincount().tolist() == [1] * 4 and train.labels.bincount().tolist() == [4] * 4
    assert train.class_names == ("0", "1", "2", "3")
    rows = {image.numpy().tobytes(): label for image, label in zip(chw(images), LABELS, strict=True)}
    for part in (train, test):
        assert [rows.pop(image.numpy().tobytes()) for image in part.images] == part.labels.tolist()
    assert not rows
    assert load(tmp_path / "a.npz").test.images.equal(test.images)


@pytest.mark.parametrize("labels", [None, np.arange(20), np.array([0] * 19 + [1])])
def test_npz_whose_labels_cannot_be_stratified(labels: np.ndarray | None, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=GREY, **({} if labels is None else {"labels": labels}))
    train, test = load(tmp_path / "a.npz")
    assert (len(train), len(test)) == (16, 4)
    assert sorted([*train.labels.tolist(), *test.labels.tolist()]) == ([-1] * 20 if labels is None else labels.tolist())
    assert len(train.class_names) == (0 if labels is None else labels.max() + 1)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pixels": GREY}, r"holds \['pixels'\]; it needs images_train and images_test, or images"),
        ({"images_train": GREY}, "it needs images_train and images_test"),
        ({"images": GREY / 255}, r"images are float64 \(20, 6, 7\); they must be uint8 \(N, H, W\) or \(N, H, W, C\)"),
        ({"images": GREY[0]}, r"images are uint8 \(6, 7\)"),
        ({"images": np.moveaxis(RGB, 3, 1)}, r"images are uint8 \(20, 3, 6, 7\); they must be .* \(N, H, W, C\)"),
        ({"images": GREY, "labels": LABELS[:9]}, r"20 images have labels of shape \(9,\)"),
        ({"images": GREY, "labels": np.array(["cat"] * 20)}, "labels are <U3; they must be integers"),
        ({"images": GREY, "labels": np.array([None] * 20)}, "cannot be read as npz"),
        ({"images": GREY[:1]}, "holds 1 image"),
    ],
)
def test_npz_of_something_else_is_refused(arrays: dict, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "a.npz")


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_truncated_npz_is_refused(kept: float, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=GREY)
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    with pytest.raises(DataError, match=r"a\.npz cannot be read as npz"):
        load(tmp_path / "a.npz")


def test_mnist_as_it_is_published(shared: Path) -> None:
    train, test = load(shared / "data" / "mnist.npz")
    assert (len(train), len(test), train.image_shape) == (60_000, 10_000, (1, 28, 28))
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9] and test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert train.class_names == tuple("0123456789")
    assert train.images.float().mean().item() / 255 == pytest.approx(0.1307, abs=1e-4)


def write_idx(path: Path, array: np.ndarray) -> None:
    """LeCun's format: two zeros, 8 for uint8, the number of dimensions, each size as big-endian int32, the bytes."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.mark.parametrize(
    ("name", "folder", "first"), [("mnist", "MNIST", "0 - zero"), ("fashion-mnist", "FashionMNIST", "T-shirt/top")]
)
def test_torchvisions_idx_files(name: str, folder: str, first: str, tmp_path: Path) -> None:
    for part, rows in (("train", slice(15)), ("t10k", slice(15, None))):
        write_idx(tmp_path / folder / "raw" / f"{part}-images-idx3-ubyte", GREY[rows])
        write_idx(tmp_path / folder / "raw" / f"{part}-labels-idx1-ubyte", LABELS[rows])
    train, test = load(name, root=tmp_path)
    assert train.images.equal(chw(GREY[:15])) and test.images.equal(chw(GREY[15:]))
    assert train.labels.tolist() == LABELS[:15].tolist() and test.labels.tolist() == LABELS[15:].tolist()
    assert train.class_names[0] == first and len(train.class_names) == 10


@pytest.mark.parametrize(("name", "kind", "labels"), [("cifar10", "CIFAR10", "labels"), ("cifar100", "CIFAR100", "fine_labels")])
def test_torchvisions_cifar_files(name: str, kind: str, labels: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = RNG.integers(256, size=(20, 32, 32, 3), dtype=np.uint8)
    cls = getattr(datasets, kind)
    folder = tmp_path / cls.base_folder
    folder.mkdir()

    def write(file: str, content: dict) -> str:
        (folder / file).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / file).read_bytes()).hexdigest()

    def write_rows(files: list, rows: np.ndarray) -> list:
        parts = zip((file for file, _ in files), np.array_split(rows, len(files)), strict=True)
        return [
            [file, write(file, {"data": chw(images[part]).flatten(1).numpy(), labels: LABELS[part].tolist()})]
            for file, part in parts
        ]

    names = {cls.meta["key"]: ["cat", "dog", "eel", "fox"]}
    monkeypatch.setattr(cls, "train_list", write_rows(cls.train_list, np.arange(15)))  # with the checksums of these files
    monkeypatch.setattr(cls, "test_list", write_rows(cls.test_list, np.arange(15, 20)))
    monkeypatch.setattr(cls, "meta", cls.meta | {"md5": write(cls.meta["filename"], names)})
    train, test = load(name, root=tmp_path)
    assert train.images.equal(chw(images[:15])) and test.images.equal(chw(images[15:]))
    assert train.labels.tolist() == LABELS[:15].tolist() and test.labels.tolist() == LABELS[15:].tolist()
    assert train.class_names == ("cat", "dog", "eel", "fox")


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "cifar100"])
def test_a_set_that_can_be_neither_found_nor_downloaded(name: str, tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.touch()
    with pytest.raises(
        DataError, match=rf"{name} is neither in {root} nor could it be downloaded \(.*\); pass the path of an npz"
    ):
        load(name, root=root)


@pytest.mark.parametrize("name", ["digit", "photos/", "a.npz", "a.zip", "a.tar"])
def test_an_unknown_name_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.tar").touch()
    with pytest.raises(
        OptionError, match=f"data '{name}' is neither digits, mnist, .* nor an npz file, image folder or zip archive of one that"
    ):
        load(name)


@pytest.mark.parametrize("size", [0, -3])
def test_an_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(OptionError, match=f"image_size is {size}; it must be positive"):
        load("digits", size)
