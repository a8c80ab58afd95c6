"""Rendered pairs on disk: the original COP-Gen's PNG files and pickle against the store's codecs, writing and random reading.

    uv run --group benchmarks python benchmarks/store.py --images 2000

Writing goes from float images to files, reading from files in the page cache to uint8 batches of random pairs. Each repeat does
every way, one after the other. The images are noise at several scales, which compresses about as photographs do.
"""

import argparse
import pickle
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import PIL
import torch
from PIL import Image
from torch import Tensor, nn

from genviews.generators.base import wrap
from genviews.latents import Gaussian
from genviews.views import Store, render

LATENT_DIM, BATCH = 120, 64
PEER, CODECS = "PNG + pickle", ("raw", "jpeg", "latents")


def pictures(count: int, size: int) -> Tensor:
    """Float images (count, 3, size, size), mostly in [0, 1]."""
    scales = [side for side in (4, 8, 16, 32, 64, 128, 256) if side <= size]
    noise = [torch.randn(count, 3, side, side) * 2 / side for side in scales]
    return 0.5 + 0.3 * torch.stack([nn.functional.interpolate(part, size=(size, size), mode="bilinear") for part in noise]).sum(0)


class Replay(nn.Module):
    """A generator that costs nothing: it gives the same pictures over and over."""

    def __init__(self, images: Tensor):
        super().__init__()
        self.images = images

    def forward(self, latents: Tensor) -> Tensor:
        return self.images[: len(latents)]


def write_png(folder: Path, images: Tensor, latents: Tensor) -> None:
    """The original's way: a PNG an image, a pickle of the latents."""
    folder.mkdir()
    table = {}
    for i, latent in enumerate(latents):
        pixels = np.clip(images[i % len(images)].numpy().transpose(1, 2, 0) * 256, 0, 255).astype(np.uint8)
        name = f"seed0000_sample{i // 2:05d}_{('anchor', 'neighbor')[i % 2]}.png"
        Image.fromarray(pixels).save(folder / name)
        table[name] = [latent.numpy(), 0]
    (folder / "z_dataset.pkl").write_bytes(pickle.dumps(table))


def read_png(folder: Path, order: Tensor) -> None:
    for batch in order.split(BATCH):
        for role in ("anchor", "neighbor"):
            files = [folder / f"seed0000_sample{i:05d}_{role}.png" for i in batch.tolist()]
            torch.stack([torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) for file in files])


def read_store(folder: Path, order: Tensor) -> None:
    store = Store(folder)
    for batch in order.split(BATCH):
        _ = store.latents(batch) if store.config.codec == "latents" else store[batch]


def rate(images: int, work: Callable[..., object], *arguments: object, **options: object) -> float:
    """Images a second."""
    start = time.perf_counter()
    work(*arguments, **options)
    return images / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000, help="anchors and positives together")
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to write; the system's temporary folder by default")
    options = parser.parse_args()

    torch.manual_seed(0)
    images, pairs = pictures(2 * BATCH, options.size), options.images // 2
    generator = wrap(Replay(images), latent_dim=LATENT_DIM, image_shape=(3, options.size, options.size), output_range=(0, 1))
    writing: dict[str, list[float]] = {way: [] for way in (PEER, *CODECS)}
    reading: dict[str, list[float]] = {way: [] for way in writing}
    sizes: dict[str, int] = {}
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            order, latents = torch.randperm(pairs), generator.sample_latents(2 * pairs)
            for way in writing:
                folder = Path(name, way)
                if way == PEER:
                    writing[way].append(rate(2 * pairs, write_png, folder, images, latents))
                    reading[way].append(rate(2 * pairs, read_png, folder, order))
                else:
                    work = {"pairs": pairs, "codec": way, "batch_size": BATCH, "progress": False}
                    writing[way].append(rate(2 * pairs, render, generator, Gaussian(), folder, **work))
                    reading[way].append(rate(2 * pairs, read_store, folder, order))
                sizes[way] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    versions = f"torch {torch.__version__}, numpy {np.__version__}, Pillow {PIL.__version__}, {platform.machine()}"
    print(f"{2 * pairs} images of {options.size} px, {options.repeats} repeats, {torch.get_num_threads()} threads; {versions}\n")
    print(f"{'':14}{'write img/s':>12}{'x peer (min-max)':>22}{'read img/s':>14}{'x peer (min-max)':>22}{'kB/image':>10}")
    for way in writing:
        print(f"{way:14}", end="")
        for rates, width in ((writing, 12), (reading, 14)):
            ratios = [ours / peer for ours, peer in zip(rates[way], rates[PEER], strict=True)]
            spread = f"{median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})"
            print(f"{median(rates[way]):>{width},.0f}{spread:>22}", end="")
        print(f"{sizes[way] / 2 / pairs / 1000:>10.1f}")


if __name__ == "__main__":
    main()
