"""Reading and writing the folders of the original project."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from genviews.errors import CheckpointError, DataError, OptionError, RunError, UnsafeFileError
from genviews.generators.base import Generator
from genviews.latents import Gaussian
from genviews.views import CopGenFolder, Store, export_cop_gen, render
from genviews.views.store import quantise

WNIDS = ("n01440764", "n01443537", "n01484850", "n01491361", "n01494475")
OPTIONS = {"pairs": 23, "seed": 2, "shard_size": 10, "progress": False}


def original_uint8(images: np.ndarray) -> np.ndarray:
    """How the original writes images in [-1, 1]."""
    return np.uint8(np.clip((images + 1) / 2 * 256, 0, 255))


@pytest.fixture
def original(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """A folder as the original makes it, with PIL and pickle: two classes of three pairs; and its pixels and latents by path."""
    rng, pixels, latents = np.random.default_rng(0), {}, {}
    for index, wnid in enumerate(WNIDS[:2]):
        folder = tmp_path / "1k_bigbigan128tr1.0_test" / "train" / wnid
        folder.mkdir(parents=True)
        table = {}
        for sample in range(3):
            for role in ("anchor", "neighbor"):
                name = f"seed{index:04d}_sample{sample:05d}_{role}.png"
                pixels[f"{wnid}/{name}"] = original_uint8(rng.uniform(-1.2, 1.2, (16, 16, 3)))
                latents[f"{wnid}/{name}"] = rng.standard_normal(120).astype(np.float32)
                Image.fromarray(pixels[f"{wnid}/{name}"]).save(folder / name)
                table[name] = [latents[f"{wnid}/{name}"], index]
        (folder / "z_dataset.pkl").write_bytes(pickle.dumps(table))
    return tmp_path / "1k_bigbigan128tr1.0_test", pixels, latents


def test_reads_what_the_original_writes(original: tuple[Path, dict, dict]) -> None:
    path, pixels, latents = original
    folder = CopGenFolder(path)
    assert (
        len(folder) == 6
        and folder.image_shape == (3, 16, 16)
        and folder.class_names == WNIDS[:2]
        and folder.labels.tolist() == [0, 0, 0, 1, 1, 1]
    )
    indices = torch.tensor([4, 0])
    anchors, positives, condition = folder[indices]
    z, moved = folder.latents(indices)
    assert condition.tolist() == [1, 0] and z.dtype == torch.float32
    for row, stem in enumerate((f"{WNIDS[1]}/seed0001_sample00001", f"{WNIDS[0]}/seed0000_sample00000")):
        for role, images, codes in (("anchor", anchors, z), ("neighbor", positives, moved)):
            assert np.array_equal(images[row].permute(1, 2, 0).numpy(), pixels[f"{stem}_{role}.png"])
            assert np.array_equal(codes[row].numpy(), latents[f"{stem}_{role}.png"])


@pytest.mark.parametrize("codec", ["raw", "latents"])
def test_export_of_unconditional_pairs(generator: Generator, tmp_path: Path, codec: str) -> None:
    store = render(generator, Gaussian(), tmp_path / "store", codec=codec, **OPTIONS)
    folder = export_cop_gen(store, tmp_path / "out", WNIDS, generator=generator if codec == "latents" else None, progress=False)
    assert folder.labels.bincount().tolist() == [5, 5, 4, 5, 4]
    everything = torch.arange(23)
    expected = store.images(everything, generator) if codec == "latents" else store[everything]
    assert torch.equal(folder[everything].anchors, expected.anchors)
    assert torch.equal(folder[everything].positives, expected.positives)
    assert all(map(torch.equal, folder.latents(everything), store.latents(everything)))


def test_export_of_conditional_pairs_as_the_original_reads_it(conditional: Generator, tmp_path: Path) -> None:
    store = render(conditional, Gaussian(), tmp_path / "store", **OPTIONS)
    export_cop_gen(store, tmp_path / "out", WNIDS, progress=False)
    anchors, positives, condition = store[range(23)]
    z, moved = store.latents(range(23))
    seen = [0] * len(WNIDS)
    for i, label in enumerate(condition.tolist()):
        folder, stem = tmp_path / "out/train" / WNIDS[label], f"seed{2 + label:04d}_sample{seen[label]:05d}"
        table = pickle.loads((folder / "z_dataset.pkl").read_bytes())
        for role, images, latents in (("anchor", anchors, z), ("neighbor", positives, moved)):
            assert np.array_equal(np.asarray(Image.open(folder / f"{stem}_{role}.png")), images[i].permute(1, 2, 0).numpy())
            code, index = table[f"{stem}_{role}.png"]
            assert isinstance(code, np.ndarray) and np.array_equal(code, latents[i].numpy()) and index == label
        seen[label] += 1
    assert sum(seen) == 23


def test_our_levels_are_within_one_of_the_originals() -> None:
    values = np.linspace(-1.1, 1.1, 100_001)
    ours = quantise(torch.as_tensor((values + 1) / 2)).int().numpy()
    assert np.abs(ours - original_uint8(values).astype(int)).max() == 1


class Evil:
    def __init__(self, sentinel: Path):
        self.sentinel = sentinel

    def __reduce__(self) -> tuple:
        return Path.touch, (self.sentinel,)


def test_a_pickle_that_would_run_code_does_not(original: tuple[Path, dict, dict], tmp_path: Path) -> None:
    sentinel, table = tmp_path / "it ran", original[0] / "train" / WNIDS[0] / "z_dataset.pkl"
    table.write_bytes(pickle.dumps({"seed0000_sample00000_anchor.png": [Evil(sentinel), 0]}))
    with pytest.raises(UnsafeFileError, match=str(table)):
        CopGenFolder(original[0]).latents([0])
    assert not sentinel.exists()


def test_damage_is_named(original: tuple[Path, dict, dict]) -> None:
    first = original[0] / "train" / WNIDS[0]
    (first / "seed0000_sample00000_neighbor.png").unlink()
    anchor = first / "seed0000_sample00001_anchor.png"
    anchor.write_bytes(anchor.read_bytes()[:60])
    (first / "z_dataset.pkl").write_bytes(pickle.dumps({"seed0000_sample00002_anchor.png": [np.zeros(120, np.float32), 0]}))
    (original[0] / "train" / WNIDS[1] / "z_dataset.pkl").unlink()
    folder = CopGenFolder(original[0])
    for row, name in ((0, "sample00000_neighbor.png"), (1, "sample00001_anchor.png")):
        with pytest.raises(DataError, match=name) as error:
            folder[[row]]
        assert "\n" not in str(error.value)
    with pytest.raises(DataError, match=r"no latent of seed0000_sample00002_neighbor\.png"):
        folder.latents([2])
    with pytest.raises(CheckpointError, match=r"z_dataset\.pkl"):
        folder.latents([3])


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no train"):
        CopGenFolder(tmp_path)


def test_export_refuses(conditional: Generator, tmp_path: Path) -> None:
    store: Store = render(conditional, Gaussian(), tmp_path / "store", **OPTIONS)
    with pytest.raises(OptionError, match="2 class names for conditions up to"):
        export_cop_gen(store, tmp_path / "out", WNIDS[:2], progress=False)
    with pytest.raises(RunError, match="is not empty"):
        export_cop_gen(store, store.path, WNIDS, progress=False)
