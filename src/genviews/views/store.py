"""Rendered pairs on disk, read a batch at a time by index.

A store is a folder of `store.json` (its Configuration) and shards; shard k holds the pairs from k * shard_size on, in

    shard-00000/latents.npy      float32 (n, 2, D): z and z' = T_z(z)
    shard-00000/condition.npy    int64 (n,), of a conditional generator
    shard-00000/images.npy       uint8 (n, 2, C, H, W): anchor and positive        codec "raw"
    shard-00000/images.jpeg      the 2n JPEG files, one after the other            codec "jpeg"
    shard-00000/offsets.npy      int64 (2n + 1,): where each begins and the last ends
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
from .sources import render_pair

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
        generator, transform: What `rendering.describe` says of them.
        pairs: How many.
        seed: Pair i is a function of (seed, i).
        truncation: psi of `Generator.sample_latents`.
        num_conditions: Of the generator; None if unconditional.
        conditions: The conditions drawn from; None for all.
        codec: "raw", "jpeg" or "latents".
        shard_size: Pairs in a shard.
        batch_size: Pairs in a generator call; the last bits of a float depend on it.
        latent_dim: D.
        image_shape: (C, H, W).
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
        raise DataError(f"{path} holds no readable store of pairs ({error}); render one first") from None


def quantise(images: Tensor) -> Tensor:
    """Float images in [0, 1] to uint8: clamped, times 255, rounded."""
    return images.clamp(0, 1).mul_(255).round_().to(torch.uint8)


@torch.no_grad()
def render_images(generator: Generator, z: Tensor, moved: Tensor, condition: Tensor | None) -> Tensor:
    """G(z) and G(z') of latents (B, D) in one call: uint8 (B, 2, C, H, W)."""
    return quantise(torch.stack(render_pair(generator, z, moved, condition)[:2], dim=1))


class Store:
    """Random access to rendered pairs: `store[indices] -> Pairs`.

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
            DataError: If a shard is not rendered yet or damaged, or the store holds latents only.
        """
        images = self._read("images", indices)
        return Pairs(images[:, 0], images[:, 1], self.condition(indices))

    def latents(self, indices: Indices) -> tuple[Tensor, Tensor]:
        """(z, z') of the pairs `indices` (B,), float32 (B, D) each; raises as indexing does."""
        latents = self._read("latents", indices)
        return latents[:, 0], latents[:, 1]

    def condition(self, indices: Indices) -> Tensor | None:
        """The condition, int64 (B,), of the pairs `indices` (B,), None if unconditional; raises as indexing does."""
        return None if self.config.num_conditions is None else self._read("condition", indices)

    def images(self, indices: Indices, generator: Generator) -> Pairs:
        """The pairs `indices` (B,) rendered now, by the store's generator and on its device: what codec "raw" keeps."""
        z, moved = (latents.to(generator.device) for latents in self.latents(indices))
        condition = self.condition(indices)
        images = render_images(generator, z, moved, None if condition is None else condition.to(generator.device))
        return Pairs(images[:, 0], images[:, 1], condition)

    def _open(self, name: str, shard: int) -> Rows:
        if (name, shard) not in self._opened:
            folder, codec = self.shard_path(shard), CODECS[self.config.codec]
            if not folder.is_dir():
                raise DataError(f"{folder} is not rendered yet; render the store to its end with resume")
            if name != "images":
                self._opened[name, shard] = map_array(folder / f"{name}.npy")
            elif codec is not None:
                self._opened[name, shard] = codec.open(folder)
            else:
                raise DataError(f"{self.path} holds latents only; render its images with store.images(indices, generator)")
        return self._opened[name, shard]

    def _read(self, name: str, indices: Indices) -> Tensor:
        """The rows `indices` (B,) of the files `name`, stacked."""
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
