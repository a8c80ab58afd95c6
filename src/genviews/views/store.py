"""Rendered views on disk, read a batch at a time by index.

A store is a folder of `store.json` (its Configuration) and shards; shard k holds the rows from k * shard_size on. A row is V
images: a pair, anchor and positive; or the reconstruction of a real image and n views learned of it.

    shard-00000/latents.npy      float32 (n, V, D): z and z' = T_z(z), or w and its views
    shard-00000/condition.npy    int64 (n,), of a conditional generator
    shard-00000/images.npy       uint8 (n, V, C, H, W)                             codec "raw"
    shard-00000/images.jpeg      the nV JPEG files, one after the other            codec "jpeg"
    shard-00000/offsets.npy      int64 (nV + 1,): where each begins and the last ends

and of learned views, also

    shard-00000/image.npy        int64 (n,): which real image a row is of
    shard-00000/distances.npy    float32 (n, V): from the anchor's embedding       if they were searched, as are
    shard-00000/spread.npy       float32 (n,): the mean distance between views
    shard-00000/loss.npy         float32 (n,)
    shard-00000/converged.npy    bool (n,)
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from ..generators.base import Generator
from .shards import CODECS, Rows, map_array

FORMAT = 1
Indices = Tensor | Sequence[int]


class Pairs(NamedTuple):
    """A batch: anchors and positives uint8 (B, C, H, W), and their condition int64 (B,) if there is one."""

    anchors: Tensor
    positives: Tensor
    condition: Tensor | None


@dataclass(frozen=True)
class Configuration:
    """What determines every byte of a store, as `store.json` holds it.

    Attributes:
        generator, transform: What `rendering.describe` says of them; of searched views, the search's options and its encoder.
        pairs: How many rows.
        seed: Pair i is a function of (seed, i).
        truncation: psi of `Generator.sample_latents`.
        num_conditions: Of the generator; None if unconditional.
        conditions: The conditions drawn from; None for all.
        codec: "raw", "jpeg" or "latents".
        shard_size: Rows in a shard.
        batch_size: Rows in a generator call; the last bits of a float depend on it.
        latent_dim: D.
        image_shape: (C, H, W).
        views: V, the images of a row.
        anchors: Fingerprints of the real `images` and of their `latents`; None for anchors from the prior.
        format: Version of this layout.
    """

    generator: dict[str, Any]
    transform: dict[str, Any]
    pairs: int
    seed: int
    truncation: float | None
    num_conditions: int | None
    conditions: list[int] | None
    codec: str
    shard_size: int
    batch_size: int
    latent_dim: int
    image_shape: tuple[int, int, int]
    views: int = 2
    anchors: dict[str, Any] | None = None
    format: int = FORMAT


def read_configuration(path: Path) -> Configuration:
    """The configuration of the store in the folder `path`.

    Raises:
        DataError: If there is no store, or one of another format.
    """
    try:
        fields = json.loads((path / "store.json").read_text())
        if fields["format"] != FORMAT:
            raise ValueError(f"its format is {fields['format']}, this version reads {FORMAT}")
        return Configuration(**fields | {"image_shape": tuple(fields["image_shape"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} holds no readable store of views ({error}); render one first") from None


def quantise(images: Tensor) -> Tensor:
    """Float images in [0, 1] to uint8: clamped, times 255, rounded."""
    return images.clamp(0, 1).mul_(255).round_().to(torch.uint8)


@torch.no_grad()
def render_images(generator: Generator, latents: Tensor, condition: Tensor | None) -> Tensor:
    """The images of rows of latents (B, V, D) under the conditions (B,), in one call: uint8 (B, V, C, H, W)."""
    rows, views, _ = latents.shape
    images = generator(latents.transpose(0, 1).flatten(0, 1), None if condition is None else condition.repeat(views))
    return quantise(images.unflatten(0, (views, rows)).transpose(0, 1))


class Store:
    """Random access to rendered rows: `store[indices] -> Pairs` of pairs, `store.read("images", indices)` of any.

    Files are mapped into memory when first needed; a pickled copy, as a loader worker gets, is the path alone.

    Args:
        path: The folder.

    Raises:
        DataError: If there is no store.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.config = read_configuration(self.path)
        self._opened: dict[tuple[str, int], Rows] = {}

    def __reduce__(self) -> tuple[type["Store"], tuple[Path]]:
        return Store, (self.path,)

    def __len__(self) -> int:
        return self.config.pairs

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.config.image_shape

    @property
    def missing(self) -> list[int]:
        """The shards not rendered yet; none if the store is complete."""
        return [shard for shard in range(ceil(len(self) / self.config.shard_size)) if not self.shard_path(shard).is_dir()]

    def shard_path(self, shard: int) -> Path:
        """The folder of a shard."""
        return self.path / f"shard-{shard:05d}"

    def __getitem__(self, indices: Indices) -> Pairs:
        """The pairs `indices` (B,).

        Raises:
            IndexError: If an index is not an integer in [0, len(store)).
            DataError: If a shard is not rendered yet or damaged, or the store holds latents only, or no pairs.
        """
        anchors, positives = self._pairs("images", indices)
        return Pairs(anchors, positives, self.condition(indices))

    def latents(self, indices: Indices) -> tuple[Tensor, Tensor]:
        """(z, z') of the pairs `indices` (B,), float32 (B, D) each; raises as indexing does."""
        return self._pairs("latents", indices)

    def condition(self, indices: Indices) -> Tensor | None:
        """The condition, int64 (B,), of the pairs `indices` (B,), None if unconditional; raises as indexing does."""
        return None if self.config.num_conditions is None else self.read("condition", indices)

    def images(self, indices: Indices, generator: Generator) -> Pairs:
        """The pairs `indices` (B,) rendered now, by the store's generator and on its device: what codec "raw" keeps."""
        latents, condition = torch.stack(self.latents(indices), dim=1).to(generator.device), self.condition(indices)
        images = render_images(generator, latents, None if condition is None else condition.to(generator.device))
        return Pairs(images[:, 0], images[:, 1], condition)

    def _pairs(self, name: str, indices: Indices) -> tuple[Tensor, Tensor]:
        if self.config.views != 2 or self.config.anchors:
            raise DataError(f"{self.path} holds views learned of real images, no pairs; name the images too")
        first, second = self.read(name, indices).unbind(1)
        return first, second

    def _open(self, name: str, shard: int) -> Rows:
        if (name, shard) not in self._opened:
            folder, codec = self.shard_path(shard), CODECS[self.config.codec]
            if not folder.is_dir():
                raise DataError(f"{folder} is not rendered yet; render the store to its end with resume")
            if name != "images":
                self._opened[name, shard] = map_array(folder / f"{name}.npy")
            elif codec is not None:
                self._opened[name, shard] = codec.open(folder, self.config.views)
            else:
                raise DataError(f"{self.path} holds latents only; render its images with store.images(indices, generator)")
        return self._opened[name, shard]

    def read(self, name: str, indices: Indices) -> Tensor:
        """The rows `indices` (B,) of the files `name`, stacked; raises as indexing does."""
        rows = torch.as_tensor(indices)
        if rows.ndim != 1 or rows.dtype != torch.int64 or not len(rows) or rows.min() < 0 or rows.max() >= len(self):
            raise IndexError(f"{self.path} is indexed by int64 (B,) in [0, {len(self)}), got {str(rows.tolist())[:60]}")
        cells = [divmod(row, self.config.shard_size) for row in rows.tolist()]
        opened = {shard: self._open(name, shard) for shard in {shard for shard, _ in cells}}
        codec = CODECS[self.config.codec]
        if name != "images" or codec is None or not codec.threaded:
            return torch.from_numpy(np.stack([opened[shard][row] for shard, row in cells]))
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            return torch.from_numpy(np.stack(list(pool.map(lambda cell: opened[cell[0]][cell[1]], cells))))
