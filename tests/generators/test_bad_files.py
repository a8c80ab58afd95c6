"""Files that hold no generator, a damaged one or an attack: each is one line, nothing of it runs, and memory stays bounded."""

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from genviews import checkpoints
from genviews.errors import CheckpointError, UnsafeFileError
from genviews.generators import DCGAN, MLPVAE, SNGAN, BurgessVAE, DiscoVAE, Generator, load

KEPT_NAMES = [
    BurgessVAE((1, 32, 32), 3),
    DiscoVAE((1, 8, 8), 3, width=2),
    MLPVAE((1, 4, 4), 3, hidden=5),
    SNGAN((1, 16, 16), 3, channels=(5, 6, 5)),
    DCGAN((1, 16, 16), 3, channels=(8, 5)),
]
"""Generators whose parameters have the names that the original gives them."""

kept_names = pytest.mark.parametrize("generator", KEPT_NAMES, ids=lambda generator: type(generator).__name__)


def refusal(path: Path) -> str:
    """The one line with which a file is refused, without its path."""
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message and len(message) < len(str(path)) + 500
    return message.removeprefix(str(path))


@kept_names
def test_a_tensor_that_is_missing_superfluous_or_of_another_size_is_named(generator: Generator, tmp_path: Path) -> None:
    file, state = tmp_path / "G.pt", generator.state_dict()
    torch.save(state, file)
    assert type(load(file)) is type(generator)
    needed = [name for name in state if not name.endswith("num_batches_tracked")]  # those old files lack
    named = []
    for missing in needed:
        torch.save({name: tensor for name, tensor in state.items() if name != missing}, file)
        if missing in refusal(file):
            named.append(missing)
    assert len(named) > 0.6 * len(needed)  # by the others the family is told
    for name in (name for name in state if name.endswith("bias")):
        torch.save(state | {name: torch.zeros(99)}, file)
        assert f"{name} (99,) instead of" in refusal(file)
    torch.save(state | {"step": torch.tensor(3)}, file)
    assert "step; it is damaged" in refusal(file)


def test_discriminators_are_told_from_generators(shared: Path, tmp_path: Path) -> None:
    dcgan = nn.Sequential(
        nn.Conv2d(3, 8, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8, 16, 4, 2, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.LeakyReLU(0.2),
        nn.Conv2d(16, 1, 4, bias=False),
    )
    mlp = nn.Sequential(nn.Linear(784, 8), nn.LeakyReLU(0.2), nn.Linear(8, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Sigmoid())
    rosinality = checkpoints.read(shared / "fixtures" / "stylegan2_rosinality" / "checkpoint.pt")["d"]
    for state in (rosinality, mlp.state_dict(), {f"main.{name}": tensor for name, tensor in dcgan.state_dict().items()}):
        torch.save(state, tmp_path / "D.pt")
        assert "a discriminator by its looks" in refusal(tmp_path / "D.pt")


def test_an_optimizer_is_told_from_a_generator(tmp_path: Path) -> None:
    state = {
        "state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.ones(2, 2)}},
        "param_groups": [{"lr": 1e-3, "params": [0]}],
    }
    for content in (state, {"optimizer": state}, {"g_optim": state, "d_optim": state, "epoch": 3}):
        torch.save(content, tmp_path / "optimizer.pt")
        assert "state of an optimizer, without the weights of a generator" in refusal(tmp_path / "optimizer.pt")


@pytest.mark.parametrize("kept", [0.5, 0.99])
@pytest.mark.parametrize("file", ["sngan/generator.pt", "stylegan2_ada/checkpoint.pkl", "disco_vae/checkpoint.pth"])
def test_half_of_a_download(file: str, kept: float, shared: Path, tmp_path: Path) -> None:
    data = (shared / "fixtures" / file).read_bytes()
    partial = tmp_path / Path(file).name
    partial.write_bytes(data[: int(kept * len(data))])
    assert "truncated or no checkpoint" in refusal(partial) and "download it again" in refusal(partial)


@pytest.mark.parametrize(
    ("content", "message"),
    {
        b"<!DOCTYPE html>\n<html><title>Google Drive - Virus scan warning</title></html>": "is a web page",
        b"\xef\xbb\xbf  \r\n<html lang='en'><head></head></html>": "is a web page",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n": "only points to a file in Git LFS",
        b'{"message": "Not Found"}': "truncated or no",
    }.items(),
)
def test_what_came_instead_of_the_file(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "G.pt").write_bytes(content)
    assert message in refusal(tmp_path / "G.pt")


class Call:
    def __init__(self, command: str):
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


@kept_names
def test_a_generator_with_a_call_among_its_weights_runs_nothing(generator: Generator, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    state: dict[str, Any] = dict(generator.state_dict()) | {"step": Call(f"touch {ran}")}
    for zipped in (True, False):
        torch.save(state, tmp_path / "G.pt", _use_new_zipfile_serialization=zipped)
        with pytest.raises(UnsafeFileError, match=r"would call 'posix\.system' when read; nothing was run"):
            load(tmp_path / "G.pt")
    (tmp_path / "generator.pt").write_bytes((tmp_path / "G.pt").read_bytes())
    with pytest.raises(UnsafeFileError, match=r"posix\.system"):
        load(tmp_path)
    assert not ran.exists()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", value) for value in values) + b"t"


def tensor(claimed: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """Of a storage that claims so many numbers."""
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + numbers(claimed)[1:-1]
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    return rebuild + b"(" + storage + b"NtQK\x00" + numbers(*shape) + numbers(*stride) + b"\x89NtR"


def expanded(side: int) -> bytes:
    """The weights of an MLP VAE, each one number that is repeated."""
    shapes = {"1": (side, side), "21": (1, side), "22": (1, side), "3": (side, 1), "4": (side, side)}
    weights = [text(f"fc{i}.weight") + tensor(1, shape, (0, 0)) for i, shape in shapes.items()]
    biases = [text(f"fc{i}.bias") + tensor(1, shape[:1], (0,)) for i, shape in shapes.items()]
    return b"}(" + b"".join(weights + biases) + b"u"


def modules(depth: int) -> bytes:
    """A network for StyleGAN2-ADA's, both parts of which are the same module, and so on."""

    def module(children: bytes) -> bytes:
        parts = b"}(" + text("_parameters") + b"}" + text("_buffers") + b"}" + text("_modules") + children + b"u"
        return b"ctorch.nn\nModule\n)\x81" + parts + b"bq\x000"

    twins = b"}(" + text("mapping") + b"h\x00" + text("synthesis") + b"h\x00u"
    return module(b"}") + depth * module(twins) + b"}" + text("G_ema") + b"h\x00s"


def sets(depth: int) -> bytes:
    """Two equal sets of two sets each, and so on, as keys of a dict, where Python would compare them 2^depth times."""

    def keep(memo: int) -> bytes:
        return b"\x91q" + bytes([memo]) + b"0"

    def nested(one: int, other: int) -> bytes:
        both = b"(h" + bytes([one]) + b"h" + bytes([other])
        level = both + keep(9) + both + b"N" + keep(other) + b"h\x09q" + bytes([one]) + b"0"
        return b"(K\x01" + keep(one) + b"(K\x02" + keep(other) + depth * level

    return nested(0, 1) + nested(2, 3) + b"}(h\x00Nh\x02Nu"


def legacy(pickled: bytes) -> bytes:
    """A file as torch.save wrote before 1.6, that ends soon after its storage begins."""
    parts: tuple[Any, ...] = (0x1950A86A20F9469CFC6C, 1001, {})
    before = b"".join(pickle.dumps(part, 2) for part in parts)
    return before + b"\x80\x02" + pickled + b"." + pickle.dumps(["0"], 2) + bytes(64)


PICKLES = {
    "deep lists": b"]" * 200_000 + b"a" * 199_999,
    "deep dicts": b"}K\x00" * 100_000 + b"N" + b"s" * 100_000,
    "deep objects": b"ca\nB\n)\x81" * 100_000 + b"N" + b"b" * 100_000,
    "doubling lists": b"]q\x00" + b"](h\x00h\x00eq\x00" * 60,
    "doubling modules": modules(60),
    "doubling sets": sets(60),
    "bytes without end": b"\x8e" + struct.pack("<q", 1 << 33) + b"abc",
    "a frame without end": b"\x95" + struct.pack("<q", 1 << 33) + b"abc",
}
ARCHIVES = {
    "a storage beyond the file": (tensor(1 << 38, (1 << 38,), (1,)), 1),
    "a number repeated to a gigabyte": (expanded(1 << 14), 1),
    "deflated zeros": (tensor(1, (1,), (1,)), 256),
    "a deflated pickle": (b"X" + struct.pack("<I", 1 << 28) + bytes(1 << 28), 0),
}
HUGE: dict[str, tuple[str, dict[str, Any]]] = {
    "a wide network": ("mlp_vae", {"hidden": 3_000_000}),
    "a deep network": ("glow", {"steps": 10**9}),
    "blocks beyond any image": ("glow", {"blocks": 10**10}),
    "doublings beyond any image": ("biggan_deep", {"upsample": [10**10]}),
    "halvings beyond any image": ("residual_flow", {"squeeze_first": 10**10}),
}
"""What a `model.json` may say of a file of a few numbers."""

BOMBS = [*PICKLES, "a legacy storage without end", *ARCHIVES, *HUGE]

LOAD = """
import json, os, resource, signal, sys
from genviews.errors import GenviewsError
from genviews.generators import load

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

for path in sys.argv[1:]:
    if os.fork() == 0:
        signal.alarm(20)
        before = peak()
        try:
            load(path)
            print(json.dumps([path, "it was loaded", peak() - before]), flush=True)
        except GenviewsError as error:
            print(json.dumps([path, str(error), peak() - before]), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """For each bomb the line with which it is refused, without the path, and by how many MiB memory grew."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, pickled in PICKLES.items():
        (folder / name).write_bytes(b"\x80\x04" + pickled + b".")
    (folder / "a legacy storage without end").write_bytes(legacy(tensor(1 << 28, (1, 1), (1, 1))))
    for name, (pickled, megabytes) in ARCHIVES.items():
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02" + pickled + b".")
            archive.writestr("archive/data/0", bytes(megabytes << 20))
    for name, (family, config) in HUGE.items():
        checkpoints.write_model(folder / name, nn.Linear(1, 1), family=family, config=config)
    paths = [str(folder / name) for name in BOMBS]
    done = subprocess.run([sys.executable, "-c", LOAD, *paths], capture_output=True, text=True, check=True)
    lines = map(json.loads, done.stdout.splitlines())
    return {Path(path).name: (message.removeprefix(path), growth) for path, message, growth in lines}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_soon_and_in_little_memory(name: str, outcomes: dict[str, tuple[str, int]]) -> None:
    assert name in outcomes, "it took longer than 20 seconds"
    message, megabytes = outcomes[name]
    assert message.startswith((" ", ",")) and "\n" not in message and len(message) < 500
    assert megabytes < 150
