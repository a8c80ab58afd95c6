"""What a store holds, and reading it."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from genviews.errors import DataError
from genviews.generators.base import Generator
from genviews.latents import Gaussian, Resample
from genviews.randomness import derive, sample_seeds
from genviews.views import GeneratedViews, Store, render
from genviews.views.store import quantise

OPTIONS = {"pairs": 37, "seed": 3, "truncation": 0.8, "shard_size": 10, "batch_size": 4, "progress": False}


@pytest.fixture(scope="module")
def raw(generator: Generator, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return render(generator, Gaussian(0.3), tmp_path_factory.mktemp("raw"), **OPTIONS)


def naive_pair(generator: Generator, i: int) -> tuple[Tensor, Tensor, np.ndarray]:
    """Pair i alone: z, z' and what G makes of them, in float64 levels (2, C, H, W)."""
    seeds = sample_seeds(OPTIONS["seed"], torch.tensor([i]))
    z = generator.sample_latents(1, truncation=OPTIONS["truncation"], rng=seeds)
    moved = Gaussian(0.3)(z, rng=derive(seeds, 1))
    images = np.concatenate([generator(z).numpy(), generator(moved).numpy()]).astype(np.float64)
    return z[0], moved[0], 255 * np.minimum(np.maximum(images, 0), 1)


def test_every_pair_is_a_function_of_seed_and_index(raw: Store, generator: Generator) -> None:
    everything = list(range(len(raw)))
    z, moved = raw.latents(everything)
    anchors, positives, condition = raw[everything]
    assert len(raw) == 37 and condition is None and anchors.dtype == torch.uint8 and anchors.shape == (37, *raw.image_shape)
    for i in everything:
        naive_z, naive_moved, levels = naive_pair(generator, i)
        torch.testing.assert_close(z[i], naive_z)
        torch.testing.assert_close(moved[i], naive_moved)
        stored = torch.stack([anchors[i], positives[i]]).numpy()
        assert np.abs(stored - levels).max() < 0.501
    assert anchors.min() == 0 and anchors.max() == 255, "the generator overshoots, so clamping must have happened"


def test_quantise_clamps_and_rounds() -> None:
    images = torch.tensor([-0.3, 0.0, 0.4 / 255, 0.6 / 255, 127.4 / 255, 127.6 / 255, 1.0, 1.7])
    assert quantise(images).tolist() == [0, 0, 0, 1, 127, 128, 255, 255]


def test_longer_store_begins_with_the_shorter(raw: Store, generator: Generator, tmp_path: Path) -> None:
    longer = render(generator, Gaussian(0.3), tmp_path, **OPTIONS | {"pairs": 50})
    for shard in range(3):
        for file in raw.shard_path(shard).iterdir():
            assert file.read_bytes() == (longer.shard_path(shard) / file.name).read_bytes()


def test_any_order_of_indices(raw: Store) -> None:
    whole = raw[torch.arange(37)]
    for indices in ([36], [9, 10], [30, 2, 2, 19], torch.randperm(37, generator=torch.Generator().manual_seed(0))):
        anchors, positives, _ = raw[indices]
        assert torch.equal(anchors, whole.anchors[indices]) and torch.equal(positives, whole.positives[indices])
        assert torch.equal(raw.latents(indices)[1], raw.latents(torch.arange(37))[1][indices])


@pytest.mark.parametrize("indices", [[37], [-1], [0.5], [True], 3, []])
def test_indices_outside_are_refused(raw: Store, indices: object) -> None:
    with pytest.raises(IndexError, match=r"int64 \(B,\) in \[0, 37\)"):
        raw[indices]  # type: ignore[index]


def test_numpy_reads_a_shard(raw: Store) -> None:
    images, latents = np.load(raw.path / "shard-00003/images.npy"), np.load(raw.path / "shard-00003/latents.npy")
    assert images.shape == (7, 2, 3, 16, 16) and latents.dtype == np.float32
    assert np.array_equal(images[4, 1], raw[[34]].positives[0].numpy())
    assert np.array_equal(latents[4, 0], raw.latents([34])[0][0].numpy())


def test_agrees_with_views_generated_in_the_training_step(raw: Store, generator: Generator) -> None:
    views = GeneratedViews(generator, Gaussian(0.3), 37, seed=3, truncation=0.8)
    indices = torch.tensor([5, 33, 12])
    first, second, *_ = views(*views[indices])
    assert (quantise(first).int() - raw[indices].anchors.int()).abs().max() <= 1
    assert (quantise(second).int() - raw[indices].positives.int()).abs().max() <= 1


def test_anew_the_same_latents_are_moved_by_another_draw_at_each_step(generator: Generator) -> None:
    options = {"count": 37, "seed": 3}
    once, anew = (
        GeneratedViews(generator, Gaussian(0.3), **options),
        GeneratedViews(generator, Gaussian(0.3), **options, anew=True),
    )
    indices, seeds = torch.tensor([5, 33, 12]), torch.tensor([7, 8, 9])
    stored, drawn, other = once(indices, seeds=seeds), anew(indices, seeds=seeds), anew(indices, seeds=seeds + 10)
    assert stored.first.equal(drawn.first) and stored.first.equal(other.first)
    assert len({float(pair.second[0].sum()) for pair in (stored, drawn, other)}) == 3
    assert anew(indices, seeds=seeds).second.equal(drawn.second)
    assert anew(indices[1:2], seeds=seeds[1:2]).second.allclose(drawn.second[1:2], atol=1e-5)
    assert anew(indices).second.equal(stored.second)


def test_jpeg_is_close_and_smaller(raw: Store, generator: Generator, tmp_path: Path) -> None:
    jpeg = render(generator, Gaussian(0.3), tmp_path, codec="jpeg", **OPTIONS)
    indices = [31, 4, 5, 36]
    for exact, lossy in zip(raw[indices][:2], jpeg[indices][:2], strict=True):
        assert (exact.float() - lossy.float()).square().mean().sqrt() < 6
    assert torch.equal(raw.latents(indices)[1], jpeg.latents(indices)[1])
    assert (jpeg.path / "shard-00000/images.jpeg").stat().st_size < (raw.path / "shard-00000/images.npy").stat().st_size


def test_latents_alone_render_to_the_same_images(raw: Store, generator: Generator, tmp_path: Path) -> None:
    latents = render(generator, Gaussian(0.3), tmp_path, codec="latents", **OPTIONS)
    assert [file.name for file in latents.shard_path(0).iterdir()] == ["latents.npy"]
    assert torch.equal(latents.latents([9, 20])[1], raw.latents([9, 20])[1])
    rendered, stored = latents.images([9, 20], generator), raw[[9, 20]]
    assert (rendered.anchors.int() - stored.anchors.int()).abs().max() <= 1
    assert (rendered.positives.int() - stored.positives.int()).abs().max() <= 1
    with pytest.raises(DataError, match=r"latents only; .*store\.images"):
        latents[[0]]


@pytest.mark.parametrize("chosen", [None, (1, 4)])
def test_conditions_are_uniform_and_rendered(conditional: Generator, tmp_path: Path, chosen: tuple[int, ...] | None) -> None:
    store = render(conditional, Resample(), tmp_path, pairs=600, conditions=chosen, shard_size=250, progress=False)
    anchors, positives, condition = store[range(600)]
    values, counts = condition.unique(return_counts=True)
    expected = chosen or tuple(range(5))
    assert tuple(values.tolist()) == expected
    share = 600 / len(expected)
    assert (counts - share).abs().max() < 5 * share**0.5
    z, moved = store.latents(range(600))
    for images, latents in ((anchors, z), (positives, moved)):
        assert (quantise(conditional(latents, condition)).int() - images.int()).abs().max() <= 1
    assert torch.equal(store.images([0, 300], conditional).condition, condition[[0, 300]])


def test_a_loader_with_workers_reads_it(raw: Store) -> None:
    assert len(pickle.dumps(raw)) < 1000, "a copy for a worker is the path, not the data"
    sampler = torch.randperm(37, generator=torch.Generator().manual_seed(0)).split(8)
    batches = list(DataLoader(raw, sampler=sampler, batch_size=None, num_workers=2))
    assert torch.equal(torch.cat([batch.anchors for batch in batches]), raw[torch.cat(sampler)].anchors)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts the open files in /proc")
def test_mapped_shards_hold_no_file_open(raw: Store) -> None:
    before = len(os.listdir("/proc/self/fd"))
    store = Store(raw.path)
    store[range(37)]
    assert len(store._opened) == 4 and len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("content", [None, "", "[1, 2", "[1, 2]", "{}", '{"format": 99}', '{"format": 1, "image_shape": []}'])
def test_what_is_no_store(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "store.json").write_text(content)
    with pytest.raises(DataError, match="render one first") as error:
        Store(tmp_path)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("codec", "file", "keep"),
    [("raw", "images.npy", 500), ("raw", "latents.npy", 20), ("jpeg", "images.jpeg", 500), ("jpeg", "offsets.npy", 0)],
)
def test_damaged_shard_is_named(generator: Generator, tmp_path: Path, codec: str, file: str, keep: int) -> None:
    path = render(generator, Gaussian(), tmp_path, **OPTIONS | {"pairs": 12, "codec": codec}).shard_path(1) / file
    path.write_bytes(path.read_bytes()[:keep])
    store = Store(tmp_path)
    store[[0]]
    with pytest.raises(DataError, match=r"delete .*shard-00001 and render it again"):
        store[[0, 11]], store.latents([11])
