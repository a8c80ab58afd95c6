"""The files of a shard: .npy arrays, read through memory maps, and the ways its images are stored."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.lib.format import write_array_header_1_0
from PIL import Image
from torch import Tensor

from ..errors import DataError

JPEG_QUALITY = 90


class Rows(Protocol):
    """What an opened file gives: one row at a time."""

    def __getitem__(self, row: int, /) -> np.ndarray: ...


def write_array(path: Path, shape: tuple[int, ...], dtype: str, batches: Iterable[Tensor]) -> None:
    """Writes batches (b, ...), as they come, into one .npy file of the given shape (n, ...) and numpy dtype."""
    with path.open("wb") as file:
        write_array_header_1_0(file, {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape})
        for batch in batches:
            file.write(np.ascontiguousarray(batch.cpu().numpy(), dtype).data)


def map_file(path: Path) -> np.ndarray:
    """The bytes of a file, memory-mapped. Unlike numpy's map it holds no file open: a store may have thousands of shards."""
    return torch.from_file(str(path), size=path.stat().st_size, dtype=torch.uint8).numpy()


def map_array(path: Path) -> np.ndarray:
    """An .npy file, memory-mapped.

    Raises:
        DataError: If the file is missing or damaged.
    """
    try:
        header = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error}); delete {path.parent} and render it again with resume") from None
    return map_file(path)[header.offset :].view(header.dtype).reshape(header.shape)


def to_pil(image: Tensor) -> Image.Image:
    """uint8 (C, H, W) on the CPU, C of 1 or 3, to an image file's pixels."""
    return Image.fromarray(image.permute(1, 2, 0).squeeze(-1).numpy())


def from_pil(image: Image.Image) -> np.ndarray:
    """An image file's pixels to uint8 (C, H, W)."""
    return np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)


def _write_raw(folder: Path, shape: tuple[int, ...], batches: Iterable[Tensor]) -> None:
    write_array(folder / "images.npy", shape, "uint8", batches)


def _encode_jpeg(image: Tensor) -> bytes:
    file = BytesIO()
    to_pil(image).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def _write_jpeg(folder: Path, shape: tuple[int, ...], batches: Iterable[Tensor]) -> None:
    ends = [0]
    with (folder / "images.jpeg").open("wb") as file, ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for batch in batches:
            for data in pool.map(_encode_jpeg, batch.cpu().flatten(0, 1)):
                ends.append(ends[-1] + file.write(data))
    write_array(folder / "offsets.npy", (len(ends),), "int64", [torch.tensor(ends)])


class JpegRows:
    """Row i of a blob of JPEG files: its V images from iV on, decoded to uint8 (V, C, H, W)."""

    def __init__(self, folder: Path, views: int):
        self.views = views
        self.offsets, path = map_array(folder / "offsets.npy"), folder / "images.jpeg"
        if not path.is_file() or path.stat().st_size != self.offsets[-1]:
            raise DataError(f"{path} is damaged; delete {folder} and render it again with resume")
        self.blob = map_file(path)

    def __getitem__(self, row: int, /) -> np.ndarray:
        ends = self.offsets[self.views * row : self.views * (row + 1) + 1].tolist()
        files = (BytesIO(self.blob[start:end].tobytes()) for start, end in pairwise(ends))
        return np.stack([from_pil(Image.open(file)) for file in files])


@dataclass(frozen=True)
class Codec:
    """A way to store the images of a shard.

    Attributes:
        write: (folder, shape (n, V, C, H, W), uint8 batches (b, V, C, H, W)) -> files in the folder.
        open: The folder and V -> its rows, uint8 (V, C, H, W).
        threaded: Whether reading a row is work enough for a thread.
    """

    write: Callable[[Path, tuple[int, ...], Iterable[Tensor]], None]
    open: Callable[[Path, int], Rows]
    threaded: bool = False


CODECS: dict[str, Codec | None] = {
    "raw": Codec(_write_raw, lambda folder, _: map_array(folder / "images.npy")),
    "jpeg": Codec(_write_jpeg, JpegRows, threaded=True),
    "latents": None,
}
