"""Files of images with known factors, small ones in each of the formats."""

import itertools
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch import Tensor
from torch.nn.functional import interpolate

from genviews.data import ArrayImages, factors, load
from genviews.data.factor_files import CAR, MPI3D, holds_factors
from genviews.errors import DataError

RNG = np.random.default_rng(0)
GRID = np.array(list(itertools.product(range(2), range(3), range(2))))
RGB, GREY = RNG.integers(256, size=(12, 5, 4, 3), dtype=np.uint8), RNG.integers(256, size=(12, 5, 4), dtype=np.uint8)


def chw(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images[:, None] if images.ndim == 3 else np.moveaxis(images, 3, 1).copy())


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("images", [RGB, GREY])
@pytest.mark.parametrize(
    "described", [{"factors": GRID}, {"factor_sizes": [2, 3, 2]}, {"factors": GRID.astype(np.uint8), "factor_sizes": [2, 3, 2]}]
)
def test_own_npz(images: np.ndarray, described: dict[str, Any], tmp_path: Path) -> None:
    data = factors(save(tmp_path / "a.npz", images=images, **described))
    assert data.factor_sizes == (2, 3, 2) and data.factor_names == ("factor_0", "factor_1", "factor_2")
    assert data.image_shape == (images.shape[3] if images.ndim == 4 else 1, 5, 4)
    assert data.images(torch.from_numpy(GRID)).equal(chw(images)) and data.images(torch.from_numpy(GRID)).is_contiguous()


def test_own_npz_in_another_order_and_with_names(tmp_path: Path) -> None:
    order = RNG.permutation(12)
    names = np.array(["colour", "pose", "size"])
    data = factors(save(tmp_path / "a.npz", images=RGB[order], factors=GRID[order], factor_names=names))
    assert data.factor_names == ("colour", "pose", "size")
    assert data[torch.arange(12)][0].equal(chw(RGB))


def test_own_npz_is_resized_when_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", images=RGB, factors=GRID)
    expected = interpolate(chw(RGB), (3, 3), mode="bilinear", antialias=True)
    assert factors(path, 3).image_shape == (3, 3, 3) and factors(path, 3)[torch.arange(12)][0].equal(expected)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": RGB[:11], "factors": GRID[:11]}, "holds 11 images; it needs 12, one for each of factor_0 2 x factor_1 3 x f"),
        ({"images": RGB[:11], "factors": GRID}, "holds 11 images; it needs 12"),
        ({"images": RGB, "factors": GRID[:11]}, "holds 12 images and 11 rows of factors; there must be one each"),
        ({"images": RGB, "factors": GRID[[0, *range(11)]]}, "images 0 and 1 have the same factors"),
        ({"images": RGB, "factors": GRID, "factor_sizes": [3, 2, 2]}, r"factors\[4\] has factor_1 2; it must be 0 to 1"),
        ({"images": RGB, "factors": GRID / 1}, r"factors are float64 \(12, 3\); they must be integers \(N, F\)"),
        ({"images": RGB, "factors": GRID[:, 0]}, r"factors are int64 \(12,\); they must be integers \(N, F\)"),
        ({"images": RGB, "factors": GRID - 1}, "holds 12 images; it needs 2, one for each of factor_0 1 x factor_1 2"),
        (
            {"images": RGB, "factor_sizes": [12], "factor_names": ["a", "b"]},
            r"factor_sizes are \[12\] and factor_names \['a', 'b'\]",
        ),
        (
            {"images": RGB, "factor_sizes": [-4, -3]},
            r"factor_sizes are \[-4, -3\] .* give each factor a size, a positive integer",
        ),
        ({"imgs": GREY > 9, "latents_classes": GRID}, r"images are bool \(12, 5, 4\)"),
        ({"images": RGB / 255, "factors": GRID}, "images are float64"),
        ({"images": np.moveaxis(RGB, 3, 1), "factors": GRID}, r"they must be uint8 \(N, H, W\) or \(N, H, W, C\)"),
        ({"factors": GRID}, r"holds \['factors'\]; it needs images, and factors or factor_sizes"),
        ({"images": RGB}, "holds 12 images; it needs 1036800, one for each of object_color 6 x object_shape 6 x"),
        ({"imgs": GREY, "latents_classes": GRID}, "holds 12 images; it needs 737280, one for each of shape 3 x scale 6 x"),
        ({"imgs": GREY}, "needs images, and factors or factor_sizes"),
        ({"images": np.array([{}, {}]), "factors": GRID}, "cannot be read as npz"),
    ],
)
def test_npz_of_other_contents_is_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        factors(save(tmp_path / "a.npz", **arrays))


def test_a_damaged_npz_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", images=RGB, factors=GRID)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match=r"a.npz cannot be read as npz"):
        factors(path)
    whole = save(tmp_path / "b.npz", images=RGB).read_bytes()
    (tmp_path / "b.npz").write_bytes(whole.replace(b"NUMPY", b"numpy", 1))
    for opens in (factors, load):
        with pytest.raises(DataError, match=r"b.npz cannot be read as npz"):
            opens(tmp_path / "b.npz")


def test_load_takes_npz_with_factors_and_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    train, test = load(save(tmp_path / "factors.npz", images=RGB, factors=GRID))
    assert sorted([*train.indices.tolist(), *test.indices.tolist()]) == list(range(12)) and len(test) == 3
    assert train.images.factor_sizes == (2, 3, 2)
    for arrays in ({}, {"labels": GRID[:, 0]}, {"labels": GRID[:, 0], "factors": GRID}):
        part = load(save(tmp_path / "images.npz", images=RGB, **arrays)).train
        assert isinstance(part, ArrayImages) and set(part.labels.tolist()) == ({0, 1} if arrays else {-1})
    split = save(tmp_path / "split.npz", images_train=RGB, images_test=RGB[:2], factors=GRID)
    assert len(load(split).train) == 12 and len(load(split).test) == 2


def test_dsprites_file(tmp_path: Path) -> None:
    """Whose `metadata` are pickled: they stay untouched."""
    images = RNG.integers(2, size=(737_280, 2, 2), dtype=np.uint8)
    classes = np.indices((1, 3, 6, 40, 32, 32)).reshape(6, -1).T
    path = save(tmp_path / "a.npz", imgs=images, latents_classes=classes, metadata=np.array({"author": "x"}, dtype=object))
    data = factors(path)
    assert data.factor_names == ("shape", "scale", "orientation", "x", "y") and data.factor_sizes == (3, 6, 40, 32, 32)
    chosen = torch.tensor([0, 1, 123_456, 737_279])
    assert data.images(torch.from_numpy(classes[chosen.numpy(), 1:])).equal(255 * chw(images[chosen.numpy()]))
    assert holds_factors(path)


def test_mpi3d_file(tmp_path: Path) -> None:
    """Recognised by its number of images, before they are read."""
    images = np.zeros((1_036_800, 3, 3, 3), np.uint8)
    images[:, 0, 0] = np.arange(1_036_800)[:, None] // [1, 256, 65536]
    np.savez_compressed(tmp_path / "a.npz", images=images)
    assert holds_factors(tmp_path / "a.npz")
    data = factors(tmp_path / "a.npz")
    assert data.factor_names == tuple(MPI3D) and data.factor_sizes == (6, 6, 2, 3, 3, 40, 40)
    last, second = data.images(torch.tensor([[5, 5, 1, 2, 2, 39, 39], [0, 0, 0, 0, 0, 1, 0]]))[:, :, 0, 0].tolist()
    assert last == [1_036_799 % 256, 1_036_799 // 256 % 256, 1_036_799 // 65536] and second == [40, 0, 0]


def car(seed: int) -> np.ndarray:
    smooth = np.random.default_rng(seed).integers(256, size=(4, 4, *CAR[2:]), dtype=np.uint8)
    return smooth.repeat(32, 0).repeat(32, 1)


def test_cars3d_files(tmp_path: Path) -> None:
    for name, seed in (("b", 1), ("a", 0), ("c", 2)):
        savemat(tmp_path / f"{name}.mat", {"im": car(seed)})
    (tmp_path / "list.txt").write_text("a b c")
    data = factors(tmp_path, image_size=4)
    assert data.factor_names == ("elevation", "azimuth", "object_type") and data.factor_sizes == (4, 24, 3)
    for elevation, azimuth, seed in ((0, 0, 0), (3, 5, 1), (1, 23, 2)):
        found = data.images(torch.tensor([[elevation, azimuth, seed]]))[0].float()
        expected = torch.from_numpy(car(seed)[..., azimuth, elevation]).permute(2, 0, 1)[None].float()
        assert (found - interpolate(expected, (4, 4), mode="bilinear", antialias=True)[0]).abs().max() <= 1
    assert factors(tmp_path).image_shape == (3, 64, 64)
    assert [len(part) for part in load(tmp_path, 4)] == [230, 58]


def test_mat_files_that_are_no_cars_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no .mat file; give the folder of Cars3D's"):
        factors(tmp_path)
    savemat(tmp_path / "a.mat", {"im": car(0)[:64]})
    with pytest.raises(DataError, match=r"a.mat: im is uint8 \(64, 128, 3, 24, 4\); Cars3D has uint8 \(128, 128, 3, 24, 4\)"):
        factors(tmp_path)
    for write in (lambda: savemat(tmp_path / "a.mat", {"x": 1}), lambda: (tmp_path / "a.mat").write_bytes(b"no")):
        write()
        with pytest.raises(DataError, match=r"a.mat cannot be read as a MATLAB file of im"):
            factors(tmp_path)


def test_a_folder_of_images_beside_mat_files_is_one_of_images(tmp_path: Path) -> None:
    savemat(tmp_path / "labels.mat", {"x": 1})
    (tmp_path / "jpg").mkdir()
    (tmp_path / "jpg" / "0.JPG").touch()
    assert not holds_factors(tmp_path)


def test_shapes3d_file(tmp_path: Path) -> None:
    images = np.zeros((480_000, 2, 2, 3), np.uint8)
    images[:, 1, 0] = np.arange(480_000)[:, None] // [1, 256, 65536]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("images", data=images, chunks=(1000, 2, 2, 3), compression="gzip")
        file.create_dataset("labels", data=np.zeros((480_000, 6)))
    data = factors(tmp_path / "a.h5")
    assert data.factor_names == factors("shapes3d").factor_names and data.factor_sizes == (10, 10, 10, 8, 4, 15)
    assert data.image_shape == (3, 2, 2) and len(load(tmp_path / "a.h5").train) == 384_000
    indices = torch.tensor([479_999, 3, 70_000, 3])
    assert data[indices][0].equal(chw(images[indices.numpy()]))
    assert data[indices[:0]][0].shape == (0, 3, 2, 2)


def test_other_hdf5_files_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["labels"] = RGB, np.zeros((12, 6))
    with pytest.raises(
        DataError, match=r"holds images uint8 \(12, 5, 4, 3\) and labels \(12, 6\); 3D Shapes has uint8 \(480000,"
    ):
        factors(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = RGB
    with pytest.raises(DataError, match=r"a.h5 cannot be read as 3dshapes.h5, images and labels"):
        factors(tmp_path / "a.h5")
    (tmp_path / "a.h5").write_bytes(b"no")
    with pytest.raises(DataError, match=r"a.h5 cannot be read as 3dshapes.h5"):
        factors(tmp_path / "a.h5")
