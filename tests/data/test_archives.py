"""Zip archives of image folders."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from genviews.data import load
from genviews.errors import DataError


def archive(path: Path, *names: str, seed: int = 0) -> Path:
    """A zip file of random images of these names."""
    rng = np.random.default_rng(seed)
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            with file.open(name, "w") as member:
                Image.fromarray(rng.integers(256, size=(5, 5, 3), dtype=np.uint8)).save(member, "png")
    return path


NAMES = ("train/cat/0.png", "train/dog/1.png", "val/cat/2.png", "val/dog/3.png", "test/cat/4.png", "test/dog/5.png")


@pytest.mark.parametrize("top", ["", "pets/", "train/"])
def test_an_archive_is_the_folder_it_holds(top: str, tmp_path: Path) -> None:
    names = [name for name in NAMES if name.startswith("train/")] if top == "train/" else [top + name for name in NAMES]
    file = archive(tmp_path / "a.zip", *names, "__MACOSX/train/cat/._0.png")
    with zipfile.ZipFile(file) as members:
        members.extractall(tmp_path / "unpacked", names)
    whole = load(tmp_path / "unpacked" / top.replace("train/", ""))
    splits = load(str(file), root=tmp_path / "cache")
    for part, expected in zip(splits, whole, strict=True):
        rows = torch.arange(len(expected))
        assert part[rows][0].equal(expected[rows][0]) and part.labels.equal(expected.labels)
        assert part.class_names == ("cat", "dog")
    assert (splits.validation is None) == (top == "train/")


def test_it_is_unpacked_once_and_again_when_its_content_changes(tmp_path: Path) -> None:
    file = archive(tmp_path / "a.zip", *NAMES)
    first = load(file, root=tmp_path / "cache").train.paths[0]
    before = first.stat().st_mtime_ns
    os.utime(file)
    assert load(file, root=tmp_path / "cache").train.paths[0] == first and first.stat().st_mtime_ns == before
    other = load(archive(file, *NAMES, seed=1), root=tmp_path / "cache").train.paths[0]
    assert other != first and other.read_bytes() != first.read_bytes()
    assert len(list((tmp_path / "cache" / "archives").iterdir())) == 2


def test_an_archive_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no image"):
        load(archive(tmp_path / "a.zip"), root=tmp_path / "cache")


def test_members_stay_below_the_cache(tmp_path: Path) -> None:
    load(archive(tmp_path / "a.zip", *NAMES, "../../../../outside.png"), root=tmp_path / "deep" / "cache")
    assert not list(tmp_path.glob("outside.png")) + list(tmp_path.glob("deep/outside.png"))


@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "flipped"])
def test_a_damaged_archive_is_refused_and_leaves_nothing(damage: str, tmp_path: Path) -> None:
    file = archive(tmp_path / "a.zip", *NAMES)
    data = bytearray(file.read_bytes())
    data[60:64] = bytes(4)
    file.write_bytes({"empty": b"", "text": b"<html>", "truncated": data[: len(data) // 2], "flipped": data}[damage])
    with pytest.raises(DataError, match=r"a\.zip cannot be read as a zip archive \(.*\); download or write it again"):
        load(file, root=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("archives/*"))
