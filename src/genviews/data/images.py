"""Image sets: batched access to uint8 images and their labels."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import interpolate

from ..errors import DataError

EXTENSIONS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".tif", ".tiff"}


class Images(Protocol):
    """N images, read a batch at a time: `images[indices (B,)] -> (uint8 (B, C, H, W), int64 labels (B,))`; no label is -1."""

    @property
    def labels(self) -> Tensor: ...

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def image_shape(self) -> tuple[int, int, int]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]: ...


Kind = TypeVar("Kind", bound=Images, covariant=True)


@dataclass(frozen=True)
class Splits(Generic[Kind]):
    """A data set's training and test part, which it unpacks to, and its validation part if it comes with one."""

    train: Kind
    test: Kind
    validation: Kind | None = None

    def __iter__(self) -> Iterator[Kind]:
        return iter((self.train, self.test))


@dataclass(frozen=True)
class ArrayImages:
    """Images in memory, uint8 (N, C, H, W)."""

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise DataError(f"images are {self.images.dtype} {tuple(self.images.shape)}; they must be uint8 (N, C, H, W)")
        if self.labels.shape != self.images.shape[:1]:
            raise DataError(f"{len(self.images)} images have labels of shape {tuple(self.labels.shape)}; there must be one each")

    @property
    def image_shape(self) -> tuple[int, int, int]:
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        return self.images[indices], self.labels[indices]

    def resized(self, size: int) -> "ArrayImages":
        """The same set at size x size pixels (antialiased bilinear)."""
        if self.image_shape[1:] == (size, size):
            return self
        images = interpolate(self.images, (size, size), mode="bilinear", antialias=True)
        return ArrayImages(images, self.labels, self.class_names)

    def subset(self, indices: Tensor) -> "ArrayImages":
        return ArrayImages(self.images[indices], self.labels[indices], self.class_names)


@dataclass(frozen=True)
class Subset:
    """Some of a set of images."""

    images: Images
    indices: Tensor

    @property
    def labels(self) -> Tensor:
        return self.images.labels[self.indices]

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.images.class_names

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.images.image_shape

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        return self.images[self.indices[indices]]


@dataclass(frozen=True)
class Joined:
    """One set of images and, after it, another of the same shape and classes."""

    first: Images
    second: Images

    @property
    def labels(self) -> Tensor:
        return torch.cat([self.first.labels, self.second.labels])

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.first.class_names

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.first.image_shape

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        later = indices >= len(self.first)
        images = torch.empty(len(indices), *self.image_shape, dtype=torch.uint8)
        for part, rows, here in ((self.first, indices, ~later), (self.second, indices - len(self.first), later)):
            if here.any():
                images[here] = part[rows[here]][0]
        return images, self.labels[indices]


@dataclass(frozen=True)
class FileImages:
    """Image files, decoded when asked for, resized on the short side and cropped to the centre square.

    Args:
        paths: The files.
        labels: int64 (N,).
        class_names: Name of each label.
        image_shape: (C, H, W) with H = W and C of 1 (grey) or 3 (RGB).
    """

    paths: Sequence[Path]
    labels: Tensor
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        with ThreadPoolExecutor(min(8, max(1, len(indices)))) as pool:
            images = list(pool.map(lambda i: read_image(self.paths[i], self.image_shape), indices.tolist()))
        return torch.stack(images), self.labels[indices]

    def resized(self, size: int) -> "FileImages":
        """The same set, decoded to size x size pixels."""
        return replace(self, image_shape=(self.image_shape[0], size, size))


def decode(path: Path) -> Image.Image:
    """Reads one file; 16-bit grey becomes 8-bit.

    Raises:
        DataError: If the file cannot be decoded; names it.
    """
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as an image ({error}); restore or remove it") from None
    if image.mode.startswith("I;16"):  # which Pillow would clip
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image


def read_image(path: Path, image_shape: tuple[int, int, int]) -> Tensor:
    """Decodes one file to uint8 (C, size, size), as `decode` does."""
    channels, size, _ = image_shape
    image = ImageOps.fit(decode(path).convert("L" if channels == 1 else "RGB"), (size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(image).reshape(size, size, channels)).permute(2, 0, 1).contiguous()


def find_unreadable(paths: Sequence[Path]) -> list[Path]:
    """The files that do not decode, checked in parallel."""

    def broken(path: Path) -> bool:
        try:
            decode(path)
        except DataError:
            return True
        return False

    with ThreadPoolExecutor() as pool:
        return [path for path, bad in zip(paths, pool.map(broken, paths), strict=True) if bad]
