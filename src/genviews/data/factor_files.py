"""Files of images with known factors: the field's data sets as their authors published them, and a form for one's own."""

import zipfile
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..errors import DataError
from .dsprites import FACTORS as DSPRITES
from .factor_dataset import FactorDataset
from .images import EXTENSIONS
from .shapes3d import FACTORS as SHAPES3D

MPI3D = {
    "object_color": 6,
    "object_shape": 6,
    "object_size": 2,
    "camera_height": 3,
    "background_color": 3,
    "horizontal_axis": 40,
    "vertical_axis": 40,
}
CAR = (128, 128, 3, 24, 4)
"""Rows, columns, channels, azimuths and elevations of the images of one car."""


def holds_factors(path: Path) -> bool:
    """Whether this is one of these files, or a folder of them, rather than images with labels or images alone."""
    if path.is_dir():
        return any(path.glob("*.mat")) and not any(file.suffix.lower() in EXTENSIONS for file in path.rglob("*"))
    if path.suffix != ".npz" or not zipfile.is_zipfile(path):
        return path.suffix == ".h5" and path.is_file()
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if names == {"images.npy"}:
            try:
                with archive.open("images.npy") as member:
                    np.lib.format.read_magic(member)
                    return np.lib.format.read_array_header_1_0(member)[0][:1] == (prod(MPI3D.values()),)
            except (zipfile.BadZipFile, ValueError, EOFError):  # damaged, as who reads it will say
                return False
        described = "images.npy" in names and "labels.npy" not in names and bool(names & {"factors.npy", "factor_sizes.npy"})
        return described or "imgs.npy" in names


def npz(path: Path) -> FactorDataset:
    """dSprites' file, MPI3D's, or one of `images`, `factors` and/or `factor_sizes`, and `factor_names` if they have names.

    Images are uint8 (N, H, W) or (N, H, W, C), factors integers (N, F) from 0, sizes integers (F,), names (F,). Without factors,
    images are in row-major order: the last factor varies fastest. The file is read into memory whole, and nothing pickled is.

    Raises:
        DataError: If it is not npz, lacks the arrays, or there is not one image for each combination of the factors.
    """
    keys = ("imgs", "latents_classes", "images", "factors", "factor_sizes", "factor_names")
    try:
        with np.load(path, allow_pickle=False) as file:
            there, arrays = sorted(file.files), {key: file[key] for key in keys if key in file.files}
    except Exception as error:
        raise DataError(f"{path} cannot be read as npz ({error}); save it with numpy.savez(images=..., factors=...)") from None
    if "imgs" in arrays and "latents_classes" in arrays:
        arrays["imgs"] *= arrays["imgs"].dtype.type(255)  # of 0 and 1
        return _grid(path, DSPRITES, arrays["imgs"], arrays["latents_classes"][..., 1:])  # without the one colour
    if arrays.keys() == {"images"}:
        return _grid(path, MPI3D, arrays["images"])
    factors = arrays.get("factors")
    if "images" not in arrays or (factors is None and "factor_sizes" not in arrays):
        raise DataError(f"{path} holds {there}; it needs images, and factors or factor_sizes")
    if factors is None:
        sizes = arrays["factor_sizes"]
    elif factors.ndim != 2 or factors.dtype.kind not in "iu" or not len(factors):
        raise DataError(f"{path}: factors are {factors.dtype} {factors.shape}; they must be integers (N, F)")
    else:
        sizes = arrays.get("factor_sizes", factors.max(0).astype(np.int64) + 1)
    names = arrays.get("factor_names", np.array([f"factor_{i}" for i in range(sizes.size)]))
    if sizes.ndim != 1 or sizes.dtype.kind not in "iu" or (sizes < 1).any() or len({*names.tolist()}) != len(sizes):
        given = f"factor_sizes are {sizes.tolist()} and factor_names {names.tolist()}"
        raise DataError(f"{path}: {given}; give each factor a size, a positive integer, and a name of its own")
    return _grid(path, dict(zip(map(str, names.tolist()), sizes.tolist(), strict=True)), arrays["images"], factors)


def _grid(path: Path, sizes: dict[str, int], images: np.ndarray, factors: np.ndarray | None = None) -> FactorDataset:
    """The set of these images, checked; without factors they are in row-major order."""
    channels_first = images.ndim == 4 and images.shape[3] > images.shape[1]
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or channels_first:
        raise DataError(f"{path}: images are {images.dtype} {images.shape}; they must be uint8 (N, H, W) or (N, H, W, C)")
    if len(images) != prod(sizes.values()):
        expected = " x ".join(f"{name} {size}" for name, size in sizes.items())
        raise DataError(f"{path} holds {len(images)} images; it needs {prod(sizes.values())}, one for each of {expected}")
    pixels = torch.from_numpy(images if images.ndim == 4 else images[..., None]).permute(0, 3, 1, 2)
    channels, height, width = pixels.shape[1:]
    grid = FactorDataset(tuple(sizes), tuple(sizes.values()), (channels, height, width), pixels.__getitem__)
    if factors is None:
        return grid
    if len(factors) != len(images):
        raise DataError(f"{path} holds {len(images)} images and {len(factors)} rows of factors; there must be one each")
    try:
        index, order = grid.index(torch.from_numpy(factors.astype(np.int64))).sort()
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    twice = (index[1:] == index[:-1]).nonzero()
    if len(twice):
        first, second = order[twice[0]], order[twice[0] + 1]
        raise DataError(f"{path}: images {int(first)} and {int(second)} have the same factors; there must be one a combination")
    return replace(grid, read=partial(_ordered, pixels, order))


def _ordered(pixels: Tensor, order: Tensor, indices: Tensor) -> Tensor:
    return pixels[order[indices]]


def hdf5(path: Path) -> FactorDataset:
    """3D Shapes' file: `images` uint8 (480000, H, W, 3) and `labels` (480000, 6), images read when asked for.

    Raises:
        DataError: If it is not HDF5 or not 3D Shapes'.
    """
    import h5py  # takes a while

    count = prod(SHAPES3D.values())
    try:
        with h5py.File(path) as file:
            images, labels = file["images"], file["labels"].shape
            dtype, shape = images.dtype, images.shape
    except (OSError, KeyError, AttributeError) as error:
        raise DataError(f"{path} cannot be read as 3dshapes.h5, images and labels ({error}); download it again") from None
    if dtype != np.uint8 or len(shape) != 4 or (shape[0], shape[3], labels) != (count, 3, (count, len(SHAPES3D))):
        expected = f"3D Shapes has uint8 ({count}, H, W, 3) and ({count}, {len(SHAPES3D)})"
        raise DataError(f"{path} holds images {dtype} {shape} and labels {labels}; {expected}")
    return FactorDataset(tuple(SHAPES3D), tuple(SHAPES3D.values()), (3, *shape[1:3]), partial(_read_hdf5, path))


def _read_hdf5(path: Path, indices: Tensor) -> Tensor:
    """Opens the file for itself, so that loader processes may."""
    import h5py

    rows, places = indices.unique(return_inverse=True)  # h5py takes ascending ones
    with h5py.File(path) as file:
        return torch.from_numpy(file["images"][rows.numpy()])[places].permute(0, 3, 1, 2)


def cars3d(folder: Path, image_size: int = 64) -> FactorDataset:
    """Cars3D: a folder of MATLAB files, one a car, each `im` uint8 (128, 128, 3, 24, 4), resized (antialiased bilinear).

    Cars are in the order of their files' names.

    Raises:
        DataError: If there is no such file or one is another.
    """
    from scipy.io import loadmat

    paths = sorted(folder.glob("*.mat"))
    if not paths:
        raise DataError(f"{folder} holds no .mat file; give the folder of Cars3D's")
    cars = []
    for path in paths:
        try:
            images = loadmat(path)["im"]
        except Exception as error:
            raise DataError(f"{path} cannot be read as a MATLAB file of im ({error!r}); download it again") from None
        if images.dtype != np.uint8 or images.shape != CAR:
            raise DataError(f"{path}: im is {images.dtype} {images.shape}; Cars3D has uint8 {CAR}")
        pixels = torch.from_numpy(images).permute(4, 3, 2, 0, 1).flatten(0, 1)
        cars.append(interpolate(pixels, (image_size, image_size), mode="bilinear", antialias=True))
    sizes = {"elevation": 4, "azimuth": 24, "object_type": len(cars)}
    pixels = torch.stack(cars, 1).flatten(0, 1)
    return FactorDataset(tuple(sizes), tuple(sizes.values()), (3, image_size, image_size), pixels.__getitem__)
