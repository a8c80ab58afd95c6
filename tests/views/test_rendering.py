"""Rendering to disk: interruptions, ranks, resuming, and what is refused."""

import multiprocessing
import runpy
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from torch import nn

from genviews.errors import GenviewsError, OptionError, RunError
from genviews.generators.base import Generator, wrap
from genviews.latents import Gaussian, Identity, Navigator
from genviews.views import Store, render

OPTIONS = {"pairs": 20, "seed": 1, "shard_size": 8, "batch_size": 4, "progress": False}

SCRIPT = """
import time
import torch
from torch import nn
from genviews.generators.base import wrap
from genviews.latents import Navigator
from genviews.views import render

class Slow(nn.Sequential):
    def forward(self, latents):
        time.sleep(delay)
        return super().forward(latents)

torch.manual_seed(0)
module = Slow(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 3 * 16 * 16), nn.Tanh())
generator = wrap(module, latent_dim=16, image_shape=(3, 16, 16))
render(generator, Navigator(16), pairs=150, shard_size=16, batch_size=4, progress=False, **options)
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., BaseProcess]:
    """Starts a process that renders with these options, `delay` seconds longer a generator call."""
    (tmp_path / "script.py").write_text(SCRIPT)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["genviews.views"])

    def started(delay: float = 0.0, **options: object) -> BaseProcess:
        variables = {"delay": delay, "options": options}
        process = context.Process(target=runpy.run_path, args=(str(tmp_path / "script.py"), variables))
        process.start()
        return process

    return started


def finish(*processes: BaseProcess) -> None:
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(processes)


@pytest.mark.parametrize("codec", ["raw", "jpeg"])
def test_killed_and_resumed_gives_the_same_bytes(start: Callable[..., BaseProcess], tmp_path: Path, codec: str) -> None:
    finish(start(out=tmp_path / "whole", codec=codec))
    killed = tmp_path / "killed"
    process = start(out=killed, codec=codec, delay=0.02)
    while not (killed / "shard-00001").is_dir() or not any(killed.glob(".partial-*")):
        assert process.is_alive(), "it ended before it could be killed"
        time.sleep(0.005)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    done = [shard for shard in range(10) if (killed / f"shard-{shard:05d}").is_dir()]
    assert 2 <= len(done) < 10 and Store(killed).missing == [shard for shard in range(10) if shard not in done]
    times = {path: path.stat().st_mtime_ns for path in killed.glob("shard-*/*")}
    finish(start(out=killed, codec=codec, resume=True))
    assert contents(killed) == contents(tmp_path / "whole")
    assert times == {path: path.stat().st_mtime_ns for path in times}, "finished shards are kept"


def test_two_processes_give_the_bytes_of_one(start: Callable[..., BaseProcess], tmp_path: Path) -> None:
    processes = [start(out=tmp_path / "two", rank=rank, world_size=2) for rank in (0, 1)]
    finish(start(out=tmp_path / "one"), *processes)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_a_rank_renders_its_shards_and_lists_the_missing(generator: Generator, tmp_path: Path) -> None:
    store = render(generator, Gaussian(), tmp_path, rank=1, world_size=2, **OPTIONS)
    assert store.missing == [0, 2]
    store[[8]]
    with pytest.raises(GenviewsError, match=r"shard-00000 is not rendered yet"):
        store[[0, 8]]
    assert render(generator, Gaussian(), tmp_path, rank=0, world_size=2, **OPTIONS).missing == []


def test_a_rank_that_begins_the_store_meanwhile_is_no_stranger(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Path.iterdir

    def other_rank_first(folder: Path) -> Iterator[Path]:
        monkeypatch.undo()
        render(generator, Gaussian(), tmp_path, rank=0, world_size=2, **OPTIONS)
        return look(folder)

    monkeypatch.setattr(Path, "iterdir", other_rank_first)
    assert render(generator, Gaussian(), tmp_path, rank=1, world_size=2, **OPTIONS).missing == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_full_disk_loses_nothing_rendered(generator: Generator, tmp_path: Path) -> None:
    render(generator, Gaussian(), tmp_path / "whole", **OPTIONS)
    out = tmp_path / "full"
    (out / ".partial-00002").mkdir(parents=True)
    (out / ".partial-00002/images.npy").symlink_to("/dev/full")
    with pytest.raises(RunError, match="No space left on device") as error:
        render(generator, Gaussian(), out, **OPTIONS)
    assert str(out) in str(error.value) and "\n" not in str(error.value)
    (out / ".partial-00002/images.npy").unlink()
    assert Store(out).missing == [2]
    render(generator, Gaussian(), out, resume=True, **OPTIONS)
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 2}, "seed=1, not 2"),
        ({"pairs": 21}, "pairs=20, not 21"),
        ({"truncation": 0.5}, "truncation=None, not 0.5"),
        ({"codec": "jpeg"}, "codec=raw, not jpeg"),
        ({"shard_size": 9}, "shard_size=8, not 9"),
        ({"batch_size": 5}, "batch_size=4, not 5"),
    ],
)
def test_resuming_with_another_option_names_it(generator: Generator, tmp_path: Path, change: dict, named: str) -> None:
    render(generator, Gaussian(), tmp_path, **OPTIONS)
    with pytest.raises(RunError, match=named):
        render(generator, Gaussian(), tmp_path, resume=True, **OPTIONS | change)


def test_resuming_with_another_transform_or_generator_names_it(generator: Generator, tmp_path: Path) -> None:
    def small(seed: int, activation: nn.Module) -> Generator:
        torch.manual_seed(seed)
        return wrap(nn.Sequential(nn.Linear(4, 12), activation), latent_dim=4, image_shape=(3, 2, 2))

    with torch.random.fork_rng():
        first = small(0, nn.Tanh())
        reseeded, other_parts = small(1, nn.Tanh()), small(0, nn.Sigmoid())
    render(first, Gaussian(0.2), tmp_path, **OPTIONS)
    for changed, transform, named in (
        (first, Gaussian(0.4), r"transform\.std=0\.2, not 0\.4"),
        (first, Identity(), r"transform\.class=Gaussian, not Identity"),
        (reseeded, Gaussian(0.2), r"generator\.sha256="),
        (other_parts, Gaussian(0.2), r"generator\.sha256="),
        (generator, Gaussian(0.2), r"generator\.latent_dim=4, not 6"),
    ):
        with pytest.raises(RunError, match=named):
            render(changed, transform, tmp_path, resume=True, **OPTIONS)
    assert render(first, Gaussian(0.2), tmp_path, resume=True, **OPTIONS).missing == []


def test_trained_navigators_are_told_apart(generator: Generator, tmp_path: Path) -> None:
    render(generator, Navigator(6, seed=0), tmp_path, **OPTIONS)
    with pytest.raises(RunError, match=r"transform\.sha256="):
        render(generator, Navigator(6, seed=1), tmp_path, resume=True, **OPTIONS)


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_something_else_is_left_alone(generator: Generator, tmp_path: Path, resume: bool) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RunError, match=r"holds thesis\.tex but no store"):
        render(generator, Gaussian(), tmp_path, resume=resume, **OPTIONS)
    assert contents(tmp_path) == {"thesis.tex": b"precious"}


def test_a_store_is_not_rendered_over(generator: Generator, tmp_path: Path) -> None:
    render(generator, Gaussian(), tmp_path, **OPTIONS)
    with pytest.raises(RunError, match="holds a store already; resume it"):
        render(generator, Gaussian(), tmp_path, **OPTIONS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codec": "png"}, "codec is 'png'; choose one of raw, jpeg, latents"),
        ({"pairs": 0}, "pairs=0"),
        ({"shard_size": 0}, "shard_size=0"),
        ({"rank": 2, "world_size": 2}, r"rank=2 in \[0, world_size=2\)"),
        ({"truncation": -0.5}, r"truncation is -0\.5"),
        ({"conditions": [0]}, "some of the generator's None"),
    ],
)
def test_impossible_options(generator: Generator, tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        render(generator, Gaussian(), tmp_path / "out", **OPTIONS | change)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("conditions", [[4, 5], [-1], []])
def test_conditions_beyond_the_generator_are_refused(conditional: Generator, tmp_path: Path, conditions: list[int]) -> None:
    with pytest.raises(OptionError, match="some of the generator's 5"):
        render(conditional, Gaussian(), tmp_path, conditions=conditions, **OPTIONS)


def test_jpeg_takes_grey_and_colour_only(tmp_path: Path) -> None:
    def of(channels: int) -> Generator:
        return wrap(nn.Linear(4, channels * 64), latent_dim=4, image_shape=(channels, 8, 8))

    assert render(of(1), Identity(), tmp_path / "grey", codec="jpeg", **OPTIONS)[[0]].anchors.shape == (1, 1, 8, 8)
    with pytest.raises(OptionError, match="not 2; use 'raw'"):
        render(of(2), Identity(), tmp_path / "two", codec="jpeg", **OPTIONS)


def test_a_generator_in_training_mode_is_refused(tmp_path: Path) -> None:
    generator = wrap(nn.Sequential(nn.Linear(4, 12), nn.BatchNorm1d(12)), latent_dim=4, image_shape=(3, 2, 2)).train()
    with pytest.raises(OptionError, match="training mode"):
        render(generator, Identity(), tmp_path, **OPTIONS)
