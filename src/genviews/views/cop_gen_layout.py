"""The folder of rendered pairs that the original COP-Gen project writes and trains on.

train/{wnid}/seed%04d_sample%05d_anchor.png
train/{wnid}/seed%04d_sample%05d_neighbor.png    the positive
train/{wnid}/z_dataset.pkl                       {file name: [float32 array (D,), class index]}
"""

import pickle
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ..checkpoints import read_pickle
from ..errors import DataError, OptionError, RunError
from ..generators.base import Generator
from .shards import from_pil, to_pil
from .store import Indices, Pairs, Store


class CopGenFolder:
    """Rendered pairs in the original layout, read as a `Store` is: `folder[indices] -> Pairs`, in the order of the file names.

    Args:
        path: The folder that holds `train`.

    Attributes:
        class_names: The class folders, sorted.
        labels: int64 (N,), each pair's class folder.
        image_shape: (C, H, W).

    Raises:
        DataError: If there are no pairs, or the first is damaged.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.anchors = sorted(self.path.glob("train/*/*_anchor.*"))
        if not self.anchors:
            raise DataError(f"{self.path} holds no train/*/*_anchor.png; give the folder that the original project rendered")
        self.class_names = tuple(sorted({anchor.parent.name for anchor in self.anchors}))
        numbers = {name: number for number, name in enumerate(self.class_names)}
        self.labels = torch.tensor([numbers[anchor.parent.name] for anchor in self.anchors])
        channels, height, width = _read_image(self.anchors[0]).shape
        self.image_shape = (channels, height, width)
        self._tables: dict[Path, Any] = {}

    def __len__(self) -> int:
        return len(self.anchors)

    def __getitem__(self, indices: Indices) -> Pairs:
        """The pairs `indices` (B,); their condition is their label.

        Raises:
            DataError: If an image is missing or damaged.
        """
        rows = torch.as_tensor(indices)
        paths = [path for row in rows.tolist() for path in (self.anchors[row], _neighbor(self.anchors[row]))]
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            images = torch.from_numpy(np.stack(list(pool.map(_read_image, paths))))
        return Pairs(images[0::2], images[1::2], self.labels[rows])

    def latents(self, indices: Indices) -> tuple[Tensor, Tensor]:
        """(z, z') of the pairs `indices` (B,), float32 (B, D) each. The pickles are read without running what they hold.

        Raises:
            CheckpointError: If a z_dataset.pkl is missing or damaged, or (UnsafeFileError) would run code.
            DataError: If it lacks an image of its folder.
        """
        anchors = [self.anchors[row] for row in torch.as_tensor(indices).tolist()]
        z, moved = (torch.stack([self._latent(path) for path in paths]) for paths in (anchors, map(_neighbor, anchors)))
        return z, moved

    def _latent(self, image: Path) -> Tensor:
        path = image.with_name("z_dataset.pkl")
        if path not in self._tables:
            self._tables[path] = read_pickle(path)
        try:
            return torch.as_tensor(self._tables[path][image.name][0])
        except (KeyError, TypeError, IndexError):
            raise DataError(f"{path} holds no latent of {image.name}; render this folder again") from None


def _neighbor(anchor: Path) -> Path:
    return anchor.with_name(anchor.name.replace("_anchor.", "_neighbor."))


def _read_image(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return from_pil(image)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); render its folder again") from None


def export_cop_gen(
    store: Store, out: Path | str, class_names: Sequence[str], *, generator: Generator | None = None, progress: bool = True
) -> CopGenFolder:
    """Writes a store in the original layout.

    The pixels are the store's, round(255 x); the original's own, floor(256 x), differ by at most one level.

    Args:
        store: The pairs.
        out: The folder to make, named `{1k|100}_bigbigan128tr{truncation}_{description}` in the original.
        class_names: The class folders. A pair goes to the one of its condition; without conditions they share the pairs out
            evenly, in order (the original's 1,300 each; the folders mean nothing).
        generator: For a store of latents only, the generator to render them with.
        progress: Show a progress bar if the standard error is a terminal.

    Returns:
        The folder, to read.

    Raises:
        OptionError: If a condition has no class name.
        RunError: If `out` holds something.
    """
    out, everything = Path(out), torch.arange(len(store))
    if out.exists() and any(out.iterdir()):
        raise RunError(f"{out} is not empty; export to a new folder")
    condition = store.condition(everything)
    labels = everything * len(class_names) // len(store) if condition is None else condition
    if labels.max() >= len(class_names):
        raise OptionError(f"{len(class_names)} class names for conditions up to {labels.max()}; name every condition")
    bar = tqdm(total=len(store), desc=f"exporting {out}", unit="pair", disable=None if progress else True)
    with bar, ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for label in labels.unique().tolist():
            folder, table, count = out / "train" / class_names[label], {}, 0
            folder.mkdir(parents=True)
            for indices in (labels == label).nonzero()[:, 0].split(256):
                pairs = store[indices] if generator is None else store.images(indices, generator)
                for role, images, latents in zip(("anchor", "neighbor"), pairs[:2], store.latents(indices), strict=True):
                    names = [f"seed{store.config.seed + label:04d}_sample{count + i:05d}_{role}.png" for i in range(len(indices))]
                    table.update({name: [z.numpy(), label] for name, z in zip(names, latents, strict=True)})
                    list(pool.map(lambda image, path: to_pil(image).save(path), images.cpu(), [folder / name for name in names]))
                count += len(indices)
                bar.update(len(indices))
            (folder / "z_dataset.pkl").write_bytes(pickle.dumps(table))
    return CopGenFolder(out)
