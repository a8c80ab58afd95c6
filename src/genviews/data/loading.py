"""Data sets by name or path."""

import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError, OptionError, require_positive
from . import torchvision_sets
from .archives import unpack
from .factor_files import holds_factors
from .factors import RENDERED, factors
from .images import EXTENSIONS, ArrayImages, FileImages, Splits, Subset, decode, find_unreadable

TORCHVISION = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100"}
"""torchvision's class of each set. It and scikit-learn take seconds to import, so only functions that need them do."""

BadFile = Literal["error", "skip"]


def _hold_out(labels: np.ndarray, where: object) -> tuple[Tensor, Tensor]:
    """Holds out a fixed fifth of a set that comes without a split: stratified where labels allow, the same on every machine."""
    from sklearn.model_selection import train_test_split

    if len(labels) < 2:
        raise DataError(f"{where} holds {len(labels)} image(s); it takes two or more to train on some and test on the others")
    counts = np.unique(labels, return_counts=True)[1]
    stratify = labels if counts.min() >= 2 and 5 * len(counts) <= len(labels) else None
    train, test = train_test_split(np.arange(len(labels)), test_size=0.2, random_state=0, stratify=stratify)
    return torch.as_tensor(np.sort(train)), torch.as_tensor(np.sort(test))


def digits() -> Splits[ArrayImages]:
    """scikit-learn's handwritten digits (UCI, 8x8, 16 grey levels): 1,437 training and 360 test images, nothing downloaded."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.as_tensor((bunch.images * 255 / 16).round()).to(torch.uint8)[:, None]
    whole = ArrayImages(images, torch.as_tensor(bunch.target).long(), tuple("0123456789"))
    train, test = _hold_out(bunch.target, "digits")
    return Splits(whole.subset(train), whole.subset(test))


def _torchvision(name: str, root: Path) -> Splits[ArrayImages]:
    """One of torchvision's small image sets, downloaded into `root` if it is not there."""
    from torchvision import datasets

    def split(train: bool) -> ArrayImages:
        try:
            source = getattr(datasets, TORCHVISION[name])(root, train=train, download=True)
        except Exception as error:
            raise DataError(
                f"{name} is neither in {root} nor could it be downloaded ({error}); pass the path of an npz or folder"
            ) from None
        images = torch.as_tensor(np.asarray(source.data))
        images = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
        return ArrayImages(images, torch.as_tensor(source.targets).long(), tuple(map(str, source.classes)))

    return Splits(split(True), split(False))


def npz_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file; nothing pickled is read.

    Raises:
        DataError: If the file is not npz or truncated.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except Exception as error:
        raise DataError(f"{path} cannot be read as npz ({error}); save it with numpy.savez(images=..., labels=...)") from None


def array_images(path: Path, arrays: dict[str, np.ndarray], end: str = "") -> ArrayImages:
    """The images of an npz file's `images` and `labels` (or, with `end` "_train", `images_train` and so on).

    Raises:
        DataError: If they are no images with labels.
    """
    images, labels = arrays[f"images{end}"], arrays.get(f"labels{end}")
    channels_first = images.ndim == 4 and images.shape[3] > images.shape[1]
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or channels_first:
        raise DataError(f"{path}: images are {images.dtype} {images.shape}; they must be uint8 (N, H, W) or (N, H, W, C)")
    if labels is not None and labels.dtype.kind not in "iu":
        raise DataError(f"{path}: labels are {labels.dtype}; they must be integers, with their names in class_names")
    pixels = torch.as_tensor(images)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2).contiguous()
    target = torch.full((len(pixels),), -1) if labels is None else torch.as_tensor(labels).long()
    names = arrays.get("class_names", np.arange(int(target.max()) + 1 if len(target) else 0))
    return ArrayImages(pixels, target, tuple(map(str, names.tolist())))


def npz(path: Path) -> Splits[ArrayImages]:
    """An npz file of `images_train, labels_train, images_test, labels_test` or of `images[, labels]` (then a fifth is held out).

    Images are uint8 (N, H, W) or (N, H, W, C); `class_names` is optional; nothing pickled is read.

    Raises:
        DataError: If the file is not npz, truncated, or lacks the arrays.
    """
    arrays = npz_arrays(path)

    def part(end: str = "") -> ArrayImages:
        return array_images(path, arrays, end)

    if "images_train" in arrays and "images_test" in arrays:
        return Splits(part("_train"), part("_test"))
    if "images" not in arrays:
        raise DataError(f"{path} holds {sorted(arrays)}; it needs images_train and images_test, or images")
    whole = part()
    train, test = _hold_out(whole.labels.numpy(), path)
    return Splits(whole.subset(train), whole.subset(test))


def labelled_files(folder: Path, on_bad_file: BadFile) -> tuple[list[Path], list[int], list[str]]:
    """The images below a folder, their labels and class names: its subfolders, sorted by name; an image in none has label -1."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file())
    if not paths:
        raise DataError(
            f"{folder} holds no image ({', '.join(sorted(EXTENSIONS))}); point --data to a folder of images or an npz file"
        )
    bad = set(find_unreadable(paths))
    if bad and on_bad_file == "error":
        raise DataError(f"{min(bad)} cannot be read as an image ({len(bad)} such file(s)); remove it or pass on_bad_file=skip")
    for path in sorted(bad):
        warnings.warn(f"skipped {path}: it cannot be read as an image", stacklevel=2)
    paths = [path for path in paths if path not in bad]
    if not paths:
        raise DataError(f"{folder} holds no image that can be read; point --data elsewhere")
    classes = sorted({path.relative_to(folder).parts[0] for path in paths if path.parent != folder})
    labels = [classes.index(path.relative_to(folder).parts[0]) if path.parent != folder else -1 for path in paths]
    return paths, labels, classes


def image_folder(folder: Path, image_size: int | None, on_bad_file: BadFile = "error") -> Splits[FileImages]:
    """A folder of images: class subfolders, or images alone; below `train`, `test` and `val` or `validation`, if it is split.

    Args:
        folder: Where.
        image_size: Side in pixels; the first image's short side if None. Images are resized on the short side and centre-cropped.
        on_bad_file: "error" refuses an unreadable file, "skip" leaves it out with a warning that names it.

    Returns:
        Grey images if the first is grey, else RGB. Without a test folder the validation folder is the test part; without either,
        a fixed fifth is held out.
    """
    held_out = [folder / name for name in ("test", "val", "validation") if (folder / name).is_dir()]
    subfolders = {path.name for path in folder.iterdir() if path.is_dir()}
    split = bool("train" in subfolders and held_out)
    paths, labels, classes = labelled_files(folder / "train" if split or subfolders == {"train"} else folder, on_bad_file)
    first = decode(paths[0])
    channels, side = (1 if first.mode in ("1", "L", "I", "F") else 3), image_size or min(first.size)

    def part(paths: list[Path], labels: list[int]) -> FileImages:
        return FileImages(paths, torch.tensor(labels), tuple(classes), (channels, side, side))

    def below(held: Path) -> FileImages:
        held_paths, held_labels, held_classes = labelled_files(held, on_bad_file)
        if odd := sorted({*classes} ^ {*held_classes}):
            raise DataError(f"{folder / 'train'} and {held} must have the same classes; {odd[0]!r} is in only one of them")
        return part(held_paths, held_labels)

    if split:
        return Splits(part(paths, labels), *map(below, held_out[:2]))
    train, test = _hold_out(np.asarray(labels), folder)

    def rows(indices: Tensor) -> FileImages:
        return part([paths[i] for i in indices.tolist()], [labels[i] for i in indices.tolist()])

    return Splits(rows(train), rows(test))


def load(
    name: str | Path,
    image_size: int | None = None,
    root: Path | str = "~/.cache/genviews",
    on_bad_file: BadFile = "error",
) -> Splits:
    """Loads a data set.

    Args:
        name: "digits" (built in); "mnist", "fashion-mnist", "cifar10", "cifar100" (torchvision's, downloaded if need be); one of
            `torchvision_sets.SETS`, if it lies in `root`; an npz file, an image folder or a zip archive of one; or what `factors`
            opens, of which a fixed fifth is held out, without labels.
        image_size: Resize to this many pixels a side; None keeps the size, but takes `torchvision_sets` at 224.
        root: Where named sets lie or are downloaded to, and zip archives are unpacked.
        on_bad_file: What to do with an unreadable file of a folder: "error" or "skip".

    Returns:
        Splits of batch-indexed uint8 images with labels.

    Raises:
        OptionError: If the name is none of these, or the size not positive.
        DataError: If the data cannot be read.
    """
    require_positive(image_size=image_size)
    path, root = Path(name).expanduser(), Path(root).expanduser()
    if str(name) == "digits":
        splits = digits()
    elif str(name) in TORCHVISION:
        splits = _torchvision(str(name), root)
    elif str(name) in torchvision_sets.SETS:
        return torchvision_sets.load(str(name), root, image_size or 224)
    elif str(name) in RENDERED or holds_factors(path):
        whole = factors(name, image_size)
        return Splits(*(Subset(whole, indices) for indices in _hold_out(whole.labels.numpy(), name)))
    elif path.is_dir():
        return image_folder(path, image_size, on_bad_file)
    elif path.suffix == ".zip" and path.is_file():
        return image_folder(unpack(path, root), image_size, on_bad_file)
    elif path.suffix == ".npz" and path.is_file():
        splits = npz(path)
    else:
        raise OptionError(
            f"data {str(name)!r} is neither {', '.join(['digits', *TORCHVISION, *torchvision_sets.SETS, *RENDERED])} "
            "nor an npz file, image folder or zip archive of one that exists"
        )
    return splits if image_size is None else Splits(splits.train.resized(image_size), splits.test.resized(image_size))
