"""Images of the same classes in several domains: photographs, paintings, sketches."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError, OptionError, require_positive
from .archives import unpack
from .images import ArrayImages, FileImages, decode
from .loading import BadFile, array_images, labelled_files, npz_arrays

LAYOUT = "lay images out as ROOT/DOMAIN/CLASS/*.jpg, or as arrays images, labels and domains of an npz file"


@dataclass(frozen=True)
class DomainImages:
    """Labelled images of two domains or more, each of which holds every class.

    Attributes:
        images: All of them, domain after domain or in any other order.
        domains: Which domain each is of, int64 (N,).
        domain_names: The domains' names.
        name: What the data are called, for errors.

    Raises:
        DataError: If there is one domain alone, a class is missing in a domain, or an image has no label.
    """

    images: ArrayImages | FileImages
    domains: Tensor
    domain_names: tuple[str, ...]
    name: str = "the data"

    def __post_init__(self) -> None:
        if self.domains.shape != self.labels.shape or self.domains.dtype != torch.int64:
            raise DataError(
                f"{self.name}: {len(self.images)} images have domains {self.domains.dtype} {tuple(self.domains.shape)}; "
                "give an integer each"
            )
        if not len(self.images) or self.labels.min() < 0 or self.domains.min() < 0:
            raise DataError(f"{self.name} holds images without a class or a domain, or none; {LAYOUT}")
        domains, classes = max(len(self.domain_names), int(self.domains.max()) + 1), int(self.labels.max()) + 1
        if domains < 2:
            raise DataError(f"{self.name} holds one domain alone, {self.domain_names}; to leave one out takes two or more")
        if domains > len(self.domain_names) or classes > len(self.class_names):
            raise DataError(
                f"{self.name} holds domains to {domains - 1} and classes to {classes - 1}, and names of {len(self.domain_names)} "
                f"and {len(self.class_names)}; name each"
            )
        counts = (self.domains * len(self.class_names) + self.labels).bincount(minlength=domains * len(self.class_names))
        for place in (counts == 0).nonzero()[:1, 0].tolist():
            domain, label = divmod(place, len(self.class_names))
            raise DataError(
                f"{self.name}: domain {self.domain_names[domain]!r} holds no image of class {self.class_names[label]!r}; "
                "add some, or leave the class out of every domain"
            )

    @property
    def labels(self) -> Tensor:
        """Classes, int64 (N,)."""
        return self.images.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.images.class_names

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of labels, domains, the size, and the pixels in memory or each file's path, size and time."""
        digest = hashlib.sha256(f"{self.images.image_shape} {self.domain_names}".encode())
        for array in (self.labels, self.domains):
            digest.update(array.numpy().data)
        if isinstance(self.images, ArrayImages):
            digest.update(self.images.images.contiguous().numpy().data)
        else:
            stats = [(path, path.stat()) for path in self.images.paths]
            digest.update("".join(f"{path} {found.st_size} {found.st_mtime_ns}\n" for path, found in stats).encode())
        return digest.hexdigest()

    def resized(self, size: int) -> "DomainImages":
        """The same images at size x size pixels."""
        return replace(self, images=self.images.resized(size))


def domains(
    name: str | Path,
    image_size: int | None = None,
    root: Path | str = "~/.cache/genviews",
    on_bad_file: BadFile = "error",
) -> DomainImages:
    """Opens images of several domains, without the split they may come with: protocols that leave a domain out split themselves.

    Args:
        name: A folder ROOT/DOMAIN/CLASS/*.jpg, as DomainBed lays out PACS, VLCS, Office-Home and Terra Incognita, or a zip
            archive of one; or an npz file of `images, labels, domains`, or of `images_train, labels_train, domains_train` and
            the same of `_test`, with `class_names` and `domain_names` or without.
        image_size: Side in pixels; the images' own, of a folder the first one's short side, if None.
        root: Where zip archives are unpacked.
        on_bad_file: What to do with an unreadable file of a folder: "error" or "skip".

    Raises:
        OptionError: If there is no such file or folder, or the size is not positive.
        DataError: If it cannot be read, or as `DomainImages` does.
    """
    require_positive(image_size=image_size)
    path = Path(name).expanduser()
    if path.suffix == ".zip" and path.is_file():
        path = unpack(path, Path(root).expanduser())
    if path.is_dir():
        return _folders(path, image_size, on_bad_file)
    if path.suffix != ".npz" or not path.is_file():
        raise OptionError(f"data {str(name)!r} is no folder, zip archive or npz file that exists; {LAYOUT}")
    found = _npz(path)
    return found if image_size is None else found.resized(image_size)


def _npz(path: Path) -> DomainImages:
    arrays = npz_arrays(path)
    ends = ("_train", "_test") if "images_train" in arrays else ("",)
    needed = [f"{kind}{end}" for end in ends for kind in ("images", "labels", "domains")]
    if lacking := [key for key in needed if key not in arrays]:
        raise DataError(f"{path} holds {', '.join(arrays)}, no {lacking[0]}; {LAYOUT}")
    parts = [array_images(path, arrays, end) for end in ends]
    if len(shapes := {part.image_shape for part in parts}) > 1:
        raise DataError(f"{path} holds images {' and '.join(map(str, sorted(shapes)))} in its parts; bring them to one size")
    classes = max((part.class_names for part in parts), key=len)
    images = ArrayImages(torch.cat([p.images for p in parts]), torch.cat([p.labels for p in parts]), classes)
    of = np.concatenate([arrays[f"domains{end}"] for end in ends])
    if of.dtype.kind not in "iu":
        raise DataError(f"{path}: domains are {of.dtype}; they must be integers, with their names in domain_names")
    names = arrays.get("domain_names", np.arange(int(of.max(initial=0)) + 1))
    return DomainImages(images, torch.as_tensor(of.astype(np.int64)), tuple(map(str, names.tolist())), str(path))


def _folders(root: Path, image_size: int | None, on_bad_file: BadFile) -> DomainImages:
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise DataError(f"{root} holds no folder of a domain; {LAYOUT}")
    found = [labelled_files(folder, on_bad_file) for folder in folders]
    paths = [path for files, _, _ in found for path in files]
    if stray := [
        path for (files, labels, _), folder in zip(found, folders, strict=True) for path in files if path.parent == folder
    ]:
        raise DataError(f"{stray[0]} is of no class; {LAYOUT}")
    classes = sorted({name for _, _, names in found for name in names})
    labels = [classes.index(names[label]) for _, own, names in found for label in own]
    of = torch.arange(len(folders)).repeat_interleave(torch.tensor([len(files) for files, _, _ in found]))
    first = [decode(files[0]) for files, _, _ in found]
    channels, side = _channels([image.mode for image in first]), image_size or min(first[0].size)
    images = FileImages(paths, torch.tensor(labels), tuple(classes), (channels, side, side))
    return DomainImages(images, of, tuple(folder.name for folder in folders), str(root))


def _channels(modes: Sequence[str]) -> int:
    """Grey where the first image of every domain is."""
    return 1 if all(mode in ("1", "L", "I", "F") for mode in modes) else 3
