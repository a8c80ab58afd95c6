"""Learned views: what a store of them holds, that a kill does not change it, what it is refused for, what is drawn from it."""

import json
import multiprocessing
import runpy
import shutil
import signal
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from genviews.data import ArrayImages
from genviews.encoders import Embedder, Encoder
from genviews.errors import DataError, OptionError, RunError, ShapeError
from genviews.generators import wrap
from genviews.generators.base import Generator
from genviews.latents import Gaussian, SearchOptions, Shell, w_search
from genviews.randomness import derive, sample_seeds
from genviews.views import (
    LearnedViews,
    Perturb,
    PerturbedViews,
    RenderedViews,
    Search,
    SearchedViews,
    Store,
    render_learned,
    require_made_of,
)
from genviews.views.store import quantise

N, D = 11, 6
OPTIONS = {"seed": 3, "shard_size": 4, "batch_size": 3, "progress": False}
SEEDS = sample_seeds(3, torch.arange(N))

SCRIPT = """
import time
import torch
from torch import nn
from genviews.data import ArrayImages
from genviews.generators import wrap
from genviews.latents import SearchOptions
from genviews.views import Search, render_learned

class Slow(nn.Sequential):
    def forward(self, latents):
        time.sleep(delay)
        return super().forward(latents)

torch.manual_seed(0)
generator = wrap(Slow(nn.Linear(6, 64), nn.Tanh()), latent_dim=6, image_shape=(1, 8, 8))
encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 8, bias=False)).eval()
images = ArrayImages(torch.randint(256, (40, 1, 8, 8), dtype=torch.uint8), torch.zeros(40, dtype=torch.int64), ("a",))
search = Search(encoder, SearchOptions(views=3, boundary=0.2, steps=10, lr=0.03), progress=False)
render_learned(generator, torch.randn(40, 6), images, out, search, shard_size=4, progress=False, resume=resume)
"""


@pytest.fixture(scope="module")
def images() -> ArrayImages:
    pixels = torch.randint(256, (N + 2, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return ArrayImages(pixels, torch.arange(N + 2) % 4, tuple("abcd"))


@pytest.fixture(scope="module")
def latents() -> Tensor:
    return torch.randn(N, D, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def encoder() -> Embedder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Embedder(Encoder()).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def search(encoder: Embedder) -> Search:
    return Search(encoder, SearchOptions(views=3, boundary=0.1, steps=5, lr=0.05), progress=False)


@pytest.fixture(scope="module")
def perturbations(generator: Generator, latents: Tensor, images: ArrayImages, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return render_learned(generator, latents, images, tmp_path_factory.mktemp("raw"), Perturb(Gaussian(0.3, None), 5), **OPTIONS)


def levels(generator: Generator, latents: Tensor) -> Tensor:
    return quantise(generator(latents.flatten(0, -2)).unflatten(0, latents.shape[:-1])).int()


def test_a_row_is_a_reconstruction_and_its_views(perturbations: Store, generator: Generator, latents: Tensor) -> None:
    rows = torch.arange(N)
    stored = perturbations.read("latents", rows)
    assert stored.shape == (N, 6, D) and stored[:, 0].equal(latents) and perturbations.read("image", rows).equal(rows)
    for view in range(5):
        torch.testing.assert_close(stored[:, view + 1], Gaussian(0.3, None)(latents, derive(SEEDS, view)))
    assert (perturbations.read("images", rows).int() - levels(generator, stored)).abs().max() <= 1
    assert not (perturbations.shard_path(0) / "distances.npy").exists()


@pytest.mark.parametrize("target", ["reconstruction", "real"])
def test_what_is_found_is_stored(
    generator: Generator, latents: Tensor, images: ArrayImages, search: Search, tmp_path: Path, target: str
) -> None:
    f = search.encoder
    store = render_learned(generator, latents, images, tmp_path, Search(f, search.options, target, False), **OPTIONS)
    real, own = f(images.images[:N].float() / 255), f(generator(latents))
    aims = real if target == "real" else None
    found = w_search(generator, f, latents, options=search.options, targets=aims, seeds=SEEDS, progress=False)
    rows = torch.arange(N)
    for name in ("spread", "loss", "converged"):
        torch.testing.assert_close(store.read(name, rows), getattr(found, name), rtol=1e-2, atol=1e-3)
    distances = store.read("distances", rows)
    torch.testing.assert_close(distances[:, 1:], found.distances, rtol=0, atol=1e-2)
    torch.testing.assert_close(distances[:, 0], (real - own).norm(dim=1) if target == "real" else torch.zeros(N))
    assert store.config.transform["boundary"] == 0.1 and store.config.transform["target"] == target


@pytest.mark.parametrize("codec", ["jpeg", "latents"])
def test_other_codecs(
    perturbations: Store, generator: Generator, latents: Tensor, images: ArrayImages, tmp_path: Path, codec: str
) -> None:
    store = render_learned(generator, latents, images, tmp_path, Perturb(Gaussian(0.3, None), 5), codec=codec, **OPTIONS)
    raw, order = LearnedViews(images, perturbations, 2), torch.tensor([8, 0, 5])
    learned = LearnedViews(images, store, 2, generator)
    seeds = sample_seeds(0, order)
    expected, found = (views(*views[order], seeds=seeds).generated for views in (raw, learned))
    assert found.shape == (3, 2, 3, 16, 16) and (found.clamp(0, 1) - expected).square().mean().sqrt() < 0.03
    with pytest.raises(OptionError, match="latents only; name the generator") if codec == "latents" else nullcontext():
        LearnedViews(images, store)


def test_images_out_of_range_have_no_row(generator: Generator, latents: Tensor, images: ArrayImages, tmp_path: Path) -> None:
    keep = torch.arange(N) % 3 != 1
    store = render_learned(generator, latents, images, tmp_path, Perturb(Gaussian(), 2), keep=keep, **OPTIONS)
    views = LearnedViews(images, store)
    kept = keep.nonzero()[:, 0]
    assert len(views) == len(kept) == 7 and store.read("latents", torch.arange(7))[:, 0].equal(latents[kept])
    pixels, labels, _ = views[torch.tensor([6, 1])]
    assert pixels.equal(images.images[kept[[6, 1]]]) and labels.equal(images.labels[kept[[6, 1]]])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_killed_and_resumed_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["genviews.views"])

    def started(**variables: object) -> multiprocessing.process.BaseProcess:
        process = context.Process(target=runpy.run_path, args=(str(tmp_path / "script.py"), variables))
        process.start()
        return process

    process = started(out=tmp_path / "killed", delay=0.02, resume=False)
    while not (tmp_path / "killed/shard-00001").is_dir():
        assert process.is_alive(), "it ended before it could be killed"
        time.sleep(0.005)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert 0 < len(Store(tmp_path / "killed").missing) < 9
    for name in ("killed", "whole"):
        process = started(out=tmp_path / name, delay=0, resume=name == "killed")
        process.join()
        assert process.exitcode == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole") and not Store(tmp_path / "killed").missing


def test_an_unfinished_store_is_refused(perturbations: Store, images: ArrayImages, tmp_path: Path) -> None:
    shutil.copytree(perturbations.path, tmp_path / "store")
    shutil.rmtree(tmp_path / "store/shard-00001")
    with pytest.raises(DataError, match="lacks 1 shards; render it to its end with --resume"):
        LearnedViews(images, Store(tmp_path / "store"))


def test_what_it_was_not_made_of(
    perturbations: Store, generator: Generator, latents: Tensor, images: ArrayImages, search: Search, tmp_path: Path
) -> None:
    others = ArrayImages(images.images.flip(0), images.labels, images.class_names)
    with pytest.raises(RunError, match=f"{perturbations.path} was made with another set of images"):
        LearnedViews(others, perturbations)
    with pytest.raises(RunError, match="another set of images"):
        LearnedViews(ArrayImages(images.images[:5], images.labels[:5], ("a",)), perturbations)
    other = wrap(nn.Linear(D, 768), latent_dim=D, image_shape=(3, 16, 16))
    with pytest.raises(RunError, match="another generator"):
        LearnedViews(images, perturbations, generator=other)
    store = render_learned(generator, latents, images, tmp_path, search, **OPTIONS)
    require_made_of(store, images=images, generator=generator, encoder=search.encoder)
    with pytest.raises(RunError, match="another encoder"):
        require_made_of(store, encoder=Embedder(Encoder()).eval())
    with pytest.raises(RunError, match=r"rendered with anchors\.latents="):
        render_learned(generator, latents + 0.1, images, tmp_path, search, resume=True, **OPTIONS)
    with pytest.raises(RunError, match=r"rendered with transform\.lr=0.05, not 0.1"):
        changed = Search(search.encoder, SearchOptions(views=3, boundary=0.1, steps=5, lr=0.1), progress=False)
        render_learned(generator, latents, images, tmp_path, changed, resume=True, **OPTIONS)


def test_views_are_drawn_anew_at_each_step(perturbations: Store, images: ArrayImages) -> None:
    views, indices = LearnedViews(images, perturbations, drawn=2), torch.tensor([7, 2, 9, 0])
    fetched = views[indices]
    stored = perturbations.read("images", indices)[:, 1:].float() / 255
    seen: list[set[int]] = [set() for _ in indices]
    for step in range(30):
        pair = views(*fetched, seeds=sample_seeds(step, indices))
        assert pair.first.equal(images.images[indices].float() / 255) and pair.second.equal(pair.first)
        assert pair.labels.equal(images.labels[indices])
        for row in range(4):
            which = [[k for k in range(5) if pair.generated[row, m].equal(stored[row, k])] for m in range(2)]
            assert [len(k) for k in which] == [1, 1] and which[0] != which[1]
            seen[row] |= {which[0][0]}
    assert seen == [set(range(5))] * 4
    seeds = sample_seeds(0, indices)
    again = views(*views[indices[2:]], seeds=seeds[2:]).generated
    assert again.equal(views(*fetched, seeds=seeds).generated[2:]), "a sample's draw is its own"


def test_perturbed_in_the_training_step(generator: Generator, latents: Tensor, images: ArrayImages) -> None:
    views, indices = PerturbedViews(images, latents, generator, Shell(0.2), drawn=2), torch.tensor([4, 10, 1])
    assert len(views) == N
    seeds = sample_seeds(0, indices)
    pair = views(*views[indices], seeds=seeds)
    assert pair.generated.shape == (3, 2, 3, 16, 16) and pair.first.equal(images.images[indices].float() / 255)
    alone = views(*views[indices[1:2]], seeds=seeds[1:2]).generated
    torch.testing.assert_close(alone, pair.generated[1:2])
    assert not views(*views[indices], seeds=seeds + 1).generated.allclose(pair.generated, atol=1e-2)
    assert not pair.generated[:, 0].allclose(pair.generated[:, 1], atol=1e-2)


def test_searched_in_the_training_step(generator: Generator, latents: Tensor, images: ArrayImages, encoder: Embedder) -> None:
    views, indices = SearchedViews(images, latents, generator, step=0.1), torch.tensor([4, 10, 1])
    training = Encoder().train()
    before = {name: tensor.clone() for name, tensor in training.state_dict().items()}
    generated = views(*views[indices], seeds=sample_seeds(0, indices), encoder=training).generated
    assert generated.shape == (3, 1, 3, 16, 16) and not generated.requires_grad
    assert all(tensor.equal(before[name]) for name, tensor in training.state_dict().items()) and training.training
    assert all(parameter.grad is None for parameter in training.parameters())
    other = views(*views[indices], seeds=sample_seeds(0, indices), encoder=encoder).generated
    assert not other.allclose(generated, atol=1e-2), "it depends on the encoder"
    with pytest.raises(OptionError, match="need its encoder"):
        views(*views[indices], seeds=sample_seeds(0, indices))


def test_pairs_and_learned_views_are_not_mistaken(perturbations: Store, images: ArrayImages, tmp_path: Path) -> None:
    for read in (perturbations.__getitem__, perturbations.latents):
        with pytest.raises(DataError, match="views learned of real images, no pairs; name the images too"):
            read([0])
    with pytest.raises(DataError, match="no pairs; name the images too"):
        RenderedViews(perturbations)
    content = json.loads((perturbations.path / "store.json").read_text())
    del content["views"], content["anchors"]  # as stores were before there were learned views
    (tmp_path / "store.json").write_text(json.dumps(content))
    assert Store(tmp_path).config.views == 2
    with pytest.raises(DataError, match="pairs from a generator's prior, no views of real images"):
        LearnedViews(images, Store(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latents": torch.zeros(N, D + 1)}, r"latents are \(11, 7\) for 13 images and a generator of \(B, 6\)"),
        ({"latents": torch.zeros(N + 3, D)}, r"latents are \(14, 6\) for 13 images"),
        ({"keep": torch.ones(N)}, r"keep is torch.float32 \(11,\) for 11 latents; give bool \(11,\)"),
        ({"keep": torch.zeros(N, dtype=torch.bool)}, "no image is kept; raise the threshold"),
        ({"codec": "png"}, "codec is 'png'"),
        ({"shard_size": 0}, "shard_size=0"),
    ],
)
def test_bad_input(
    generator: Generator, latents: Tensor, images: ArrayImages, tmp_path: Path, change: dict, message: str
) -> None:
    options = OPTIONS | {"latents": latents, "keep": None} | change
    with pytest.raises((ShapeError, OptionError), match=message):
        render_learned(generator, options.pop("latents"), images, tmp_path / "out", Perturb(Gaussian()), **options)
    assert not (tmp_path / "out").exists()


def test_bad_options(
    perturbations: Store, conditional: Generator, latents: Tensor, images: ArrayImages, encoder: Embedder, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match="the generator takes conditions"):
        render_learned(conditional, latents, images, tmp_path, Perturb(Gaussian()), **OPTIONS)
    grey = wrap(nn.Linear(D, 64), latent_dim=D, image_shape=(1, 8, 8))
    with pytest.raises(ShapeError, match=r"images are \(3, 16, 16\), the generator's \(1, 8, 8\)"):
        render_learned(grey, latents, images, tmp_path, Perturb(Gaussian()), **OPTIONS)
    with pytest.raises(OptionError, match="target is 'both'; choose reconstruction or real"):
        Search(encoder, SearchOptions(), target="both")
    with pytest.raises(OptionError, match=r"drawn is 6; .* has 1 to 5 views"):
        LearnedViews(images, perturbations, drawn=6)
    with pytest.raises(OptionError, match="views is 0"):
        Perturb(Gaussian(), 0)
