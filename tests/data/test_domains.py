"""Images in domains: arrays, folders as DomainBed lays them out, and what is refused."""

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image

from genviews import data
from genviews.data import ArrayImages, DomainImages
from genviews.errors import DataError, OptionError

DOMAINS, CLASSES = ("art", "photo", "sketch"), ("cat", "dog")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images of each class in each domain, whose colour says which they are."""
    for d, domain in enumerate(DOMAINS):
        for c, name in enumerate(CLASSES):
            place = tmp_path / "pacs" / domain / name
            place.mkdir(parents=True)
            for i in range(2):
                Image.new("RGB", (12, 8), (80 * d, 80 * c, 80 * i)).save(place / f"{i}.png")
    return tmp_path / "pacs"


def arrays(**changes: np.ndarray) -> dict[str, np.ndarray]:
    found = {
        "images_train": np.arange(6 * 4 * 4 * 3, dtype=np.uint8).reshape(6, 4, 4, 3),
        "labels_train": np.array([0, 1, 0, 1, 0, 1], np.uint8),
        "domains_train": np.array([0, 0, 1, 1, 2, 2], np.uint8),
        "images_test": np.zeros((2, 4, 4, 3), np.uint8),
        "labels_test": np.array([1, 0]),
        "domains_test": np.array([2, 1]),
        "class_names": np.array(CLASSES),
        "domain_names": np.array(DOMAINS),
    }
    return found | changes


def test_folders_of_domains_of_classes(folder: Path) -> None:
    found = data.domains(folder)
    assert found.domain_names == DOMAINS and found.class_names == CLASSES and found.images.image_shape == (3, 8, 8)
    assert found.domains.tolist() == [0] * 4 + [1] * 4 + [2] * 4 and found.labels.tolist() == [0, 0, 1, 1] * 3
    images, labels = found.images[torch.tensor([9, 6])]
    assert images[:, :, 0, 0].tolist() == [[160, 0, 80], [80, 80, 0]] and labels.tolist() == [0, 1]
    assert data.domains(folder, 4).images[torch.arange(12)][0].shape == (12, 3, 4, 4)


def test_an_archive_of_them(folder: Path, tmp_path: Path) -> None:
    with ZipFile(tmp_path / "pacs.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(folder.parent))
    found = data.domains(tmp_path / "pacs.zip", root=tmp_path)
    assert found.domain_names == DOMAINS and len(found.images) == 12


def test_a_split_of_arrays_is_joined(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays())
    found = data.domains(tmp_path / "a.npz")
    assert found.domains.tolist() == [0, 0, 1, 1, 2, 2, 2, 1] and found.labels.tolist() == [0, 1, 0, 1, 0, 1, 1, 0]
    assert found.domain_names == DOMAINS and found.class_names == CLASSES
    images, _ = found.images[torch.arange(8)]
    assert images[:6].permute(0, 2, 3, 1).equal(torch.tensor(arrays()["images_train"])) and images[6:].max() == 0
    assert data.domains(tmp_path / "a.npz", 2).images.image_shape == (3, 2, 2)
    whole = {name: arrays()[f"{name}_train"] for name in ("images", "labels", "domains")}
    np.savez(tmp_path / "b.npz", **whole)
    assert data.domains(tmp_path / "b.npz").domain_names == ("0", "1", "2")


def test_pacs(shared: Path) -> None:
    found = data.domains(shared / "data" / "pacs_64.npz")
    assert len(found.images) == 1680 and found.domain_names == ("art_painting", "cartoon", "photo", "sketch")
    assert (found.domains * 7 + found.labels).bincount().tolist() == [60] * 28


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels_train": np.array([0, 1, 0, 0, 0, 1])}, "domain 'photo' holds no image of class 'dog'; add some"),
        (
            {"domains_train": np.zeros(6, int), "domains_test": np.zeros(2, int), "domain_names": np.array(["art"])},
            "one domain alone",
        ),
        ({"domains_train": np.array([0, 0, 1, 1, 2, 9])}, "domains to 9 and classes to 1, and names of 3 and 2; name each"),
        ({"domains_train": np.array([0, 0, 1, 1, 2, -1])}, "without a class or a domain"),
        ({"images_test": np.zeros((2, 9, 9), np.uint8)}, r"holds images .* and .* in its parts; bring them to one size"),
        ({"domains_train": np.ones(6)}, "domains are float64; they must be integers"),
        ({"domains_train": np.array([0, 1])}, r"8 images have domains torch.int64 \(4,\); give an integer each"),
    ],
)
def test_arrays_that_protocols_cannot_use_are_refused(changes: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays(**changes))
    with pytest.raises(DataError, match=message):
        data.domains(tmp_path / "a.npz")


def test_arrays_without_domains_are_refused(tmp_path: Path) -> None:
    found = arrays()
    del found["domains_test"]
    np.savez(tmp_path / "a.npz", **found)
    with pytest.raises(DataError, match="no domains_test; lay images out as ROOT/DOMAIN/CLASS"):
        data.domains(tmp_path / "a.npz")


def test_folders_that_protocols_cannot_use_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "art" / "cat" / "bad.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"bad\.png cannot be read as an image.*on_bad_file=skip"):
        data.domains(folder)
    with pytest.warns(UserWarning, match=r"skipped .*bad\.png"):
        assert len(data.domains(folder, on_bad_file="skip").images) == 12
    (folder / "art" / "cat" / "bad.png").unlink()
    Image.new("RGB", (4, 4)).save(folder / "photo" / "stray.png")
    with pytest.raises(DataError, match=r"photo/stray\.png is of no class"):
        data.domains(folder)
    (folder / "photo" / "stray.png").unlink()
    for path in (folder / "sketch" / "dog").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="domain 'sketch' holds no image of class 'dog'"):
        data.domains(folder)
    with pytest.raises(DataError, match="holds no folder of a domain"):
        data.domains(folder / "art" / "cat")
    with pytest.raises(OptionError, match="data 'nowhere' is no folder, zip archive or npz file that exists"):
        data.domains("nowhere")


def test_domains_of_ones_own_are_checked() -> None:
    images = ArrayImages(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 0]), ("a",))
    assert DomainImages(images, torch.tensor([0, 1]), ("x", "y")).labels.tolist() == [0, 0]
    with pytest.raises(DataError, match="one domain alone"):
        DomainImages(images, torch.tensor([0, 0]), ("x",))
