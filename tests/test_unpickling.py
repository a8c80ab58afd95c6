"""Hostile and awkward files: nothing of them runs, and what they would have called is named."""

import contextlib
import functools
import os
import pickle
import subprocess
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genviews import checkpoints
from genviews.errors import CheckpointError, UnsafeFileError


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function: Any, *args: Any):
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.args


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


SYSTEM = b"cposix\nsystem\n"
HOSTILE = {
    "reduce": (lambda touch: pickle.dumps(Call(os.system, touch)), "posix.system"),
    "old reduce": (lambda touch: pickle.dumps(Call(os.system, touch), protocol=0), "posix.system"),
    "eval": (lambda touch: pickle.dumps(Call(eval, f"__import__('os').system({touch!r})")), "builtins.eval"),
    "class": (lambda touch: pickle.dumps(Call(subprocess.Popen, touch.split())), "subprocess.Popen"),
    "nested": (lambda touch: pickle.dumps({"a": [OrderedDict(b=Call(os.system, touch))]}), "posix.system"),
    "argument": (lambda touch: pickle.dumps(Call(OrderedDict, [(Call(os.system, touch), 1)])), "posix.system"),
    "partial": (lambda touch: pickle.dumps(Call(functools.partial, Call(os.system, touch))), "posix.system"),
    "import": (lambda touch: pickle.dumps(Call(torch.load, Call(os.system, touch))), "posix.system"),
    "inst": (lambda touch: b"(" + text(touch) + b"iposix\nsystem\n.", "posix.system"),
    "obj": (lambda touch: b"(" + SYSTEM + text(touch) + b"o.", "posix.system"),
    "stack global": (
        lambda touch: b"\x80\x04" + text("posix") + text("system") + b"\x93" + text(touch) + b"\x85R.",
        "posix.system",
    ),
    "memo": (lambda touch: SYSTEM + b"q\x000" + text(touch) + b"\x85q\x010h\x00h\x01R.", "posix.system"),
    "called object": (
        lambda touch: b"\x80\x02cfunctools\npartial\n" + SYSTEM + text(touch) + b"\x86\x81)R.",
        "functools.partial",
    ),
    "setstate": (
        lambda touch: b"\x80\x02cargparse\nNamespace\n)\x81}" + text("__setstate__") + SYSTEM + b"sb" + text(touch) + b"b.",
        "argparse.Namespace.__setstate__",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused_by_name_and_nothing_runs(name: str, tmp_path: Path) -> None:
    build, culprit = HOSTILE[name]
    sentinel, file = tmp_path / "ran", tmp_path / "file.pkl"
    payload = build(f"touch {sentinel}")
    file.write_bytes(payload)
    with contextlib.suppress(Exception):  # some fail after they ran
        pickle.loads(payload)
    deadline = time.monotonic() + 20
    while not sentinel.exists() and time.monotonic() < deadline:  # Popen does not wait
        time.sleep(0.01)
    assert sentinel.exists(), "the payload is harmless, so refusing it shows nothing"
    sentinel.unlink()
    for read in (checkpoints.read, checkpoints.read_pickle):
        with pytest.raises(UnsafeFileError, match=f"would call {culprit!r} when read") as caught:
            read(file)
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not sentinel.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_hostile_torch_files_are_refused(zipped: bool, tmp_path: Path) -> None:
    file, sentinel = tmp_path / "model.pt", tmp_path / "ran"
    content = {"state_dict": {"weight": torch.ones(2)}, "args": Call(os.system, f"touch {sentinel}")}
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsafeFileError, match=r"posix\.system"):
        checkpoints.read(file)
    assert not sentinel.exists()
    torch.load(file, weights_only=False)
    assert sentinel.exists()


def test_a_file_cannot_change_a_rebuilder_for_the_next_file(tmp_path: Path) -> None:
    file = tmp_path / "file.pkl"
    for target in (b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n", b"cnumpy\ndtype\n"):
        file.write_bytes(b"\x80\x02" + target + b"N}" + text("__defaults__") + b")s\x86b.")
        with pytest.raises(CheckpointError):
            checkpoints.read_pickle(file)
    file.write_bytes(pickle.dumps(torch.arange(3)))
    assert checkpoints.read_pickle(file).tolist() == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_tensors_cannot_reach_outside_their_storage(tmp_path: Path) -> None:
    file = tmp_path / "file.pkl"
    storage = torch.ones(2).untyped_storage()
    for offset, size, stride in ((0, (4,), (1,)), (-1, (2,), (1,)), (1, (2,), (1,)), (0, (2,), (1 << 40,))):
        args = (torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32), offset, size, stride, False, OrderedDict())
        file.write_bytes(pickle.dumps(Call(torch._utils._rebuild_tensor_v2, *args)))
        with pytest.raises(CheckpointError):
            checkpoints.read_pickle(file)


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "file.pkl"
    file.write_bytes(pickle.dumps(np.array([1, "a"], dtype=object)))
    with pytest.raises(CheckpointError, match="array of object"):
        checkpoints.read_pickle(file)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_numbers_come_back_as_they_were(protocol: int, tmp_path: Path) -> None:
    latent = np.random.default_rng(0).normal(size=120).astype(np.float32)
    arrays = [np.arange(6.0).reshape(2, 3).T, latent > 0, np.array(["ab", "c"]), np.array(3), np.zeros((0, 2), np.int8)]
    content = {
        "seed0000_sample00000_anchor.png": [latent, 7],
        "same": latent,
        "class": np.int64(3),
        "arrays": arrays,
        "set": {1, 2},
    }
    file = tmp_path / "z_dataset.pkl"
    file.write_bytes(pickle.dumps(content, protocol=protocol))
    read = checkpoints.read_pickle(file)
    assert read.keys() == content.keys()
    first, label = read["seed0000_sample00000_anchor.png"]
    assert type(first) is np.ndarray and label == 7 and read["class"] == 3 and read["set"] == {1, 2}
    np.testing.assert_array_equal(first, latent)
    assert read["same"] is first
    for ours, theirs in zip(read["arrays"], arrays, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_big_endian_arrays_are_refused_rather_than_garbled(tmp_path: Path) -> None:
    file = tmp_path / "file.pkl"
    file.write_bytes(pickle.dumps(np.arange(3, dtype=">f4")))
    with pytest.raises(CheckpointError):
        checkpoints.read_pickle(file)
