"""Hostile and awkward files: nothing of them runs, and what they would have called is named."""

import contextlib
import functools
import os
import pickle
import subprocess
import time
import zipfile
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


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.array(["2020-01-01"], dtype="M8[D]"), "datetime64"),
        (np.array([3], dtype="m8[s]"), "timedelta64"),
        (np.zeros(2, dtype=[("x", "f4"), ("y", "i8")]), "void"),
    ],
)
def test_arrays_whose_dtype_is_more_than_its_name_are_refused(array: np.ndarray, kind: str, tmp_path: Path) -> None:
    file = tmp_path / "file.pkl"
    file.write_bytes(pickle.dumps(array))
    with pytest.raises(CheckpointError, match=f"array of {kind}"):
        checkpoints.read_pickle(file)


NEST = b"N" + b"\x85" * 3_000_000
DOUBLE = b"N" + b"2\x86" * 60
DOUBLE_LIST = b"Nq\x000" + b"(h\x00h\x00lq\x000" * 60 + b"h\x00"


@pytest.mark.parametrize("bomb", [NEST, DOUBLE], ids=["deep", "shared"])
@pytest.mark.parametrize("before", [b"}", b"cbuiltins\nset\n]"], ids=["key", "element"])
def test_tuples_that_cannot_be_hashed_are_refused(before: bytes, bomb: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file.pkl"
    payload = b"\x80\x02" + before + bomb + (b"Ns." if before == b"}" else b"a\x85R.")
    file.write_bytes(payload)
    with pytest.raises(CheckpointError, match="more than 10000 tuples in one"):
        checkpoints.read(file)
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("model/data.pkl", payload)
        archive.writestr("model/version", "3")
    with pytest.raises(CheckpointError, match="more than 10000 tuples in one"):
        checkpoints.read(tmp_path / "model.pt")


def test_thousands_of_tuples_are_read(tmp_path: Path) -> None:
    file = tmp_path / "file.pkl"
    for content in (tuple((n, str(n)) for n in range(9_999)), tuple(range(100_000)), {(1, (2, 3)): 4}):
        file.write_bytes(pickle.dumps(content))
        assert checkpoints.read(file) == content
    file.write_bytes(b"\x80\x02}" + b"N" + b"\x85" * 10_000 + b"Ns.")
    assert len(checkpoints.read(file)) == 1


@pytest.mark.parametrize(
    "payload",
    {
        "persistent id": DOUBLE_LIST + b"Q",
        "storage": b"(" + text("storage") + b"ctorch\nFloatStorage\n" + DOUBLE_LIST + text("cpu") + b"K\x01tQ",
        "class": DOUBLE_LIST + b")\x81",
        "function": DOUBLE_LIST + b")R",
        "state": DOUBLE_LIST + b"Nb",
        "dtype": b"cnumpy\ndtype\n" + DOUBLE_LIST + b"\x85R",
        "array": b"cnumpy._core.numeric\n_frombuffer\n(" + text("") + DOUBLE_LIST + b"N" + text("C") + b"tR",
        "class name": b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n}("
        + text("class_name")
        + DOUBLE_LIST
        + text("state")
        + b"Nu\x85R)R",
    }.items(),
    ids=lambda item: item[0],
)
def test_no_message_spells_out_what_a_file_repeats_without_end(payload: tuple[str, bytes], tmp_path: Path) -> None:
    file = tmp_path / "file.pkl"
    file.write_bytes(b"\x80\x02" + payload[1] + b".")
    with pytest.raises(CheckpointError) as caught:
        checkpoints.read(file)
    assert len(str(caught.value)) < len(str(file)) + 200


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


class Misfit:
    """Pickles as an array of other objects than its shape says."""

    def __reduce__(self) -> tuple[Any, ...]:
        reconstruct, args, (version, _, dtype, fortran, data) = np.array([1, "a"], dtype=object).__reduce__()
        return reconstruct, args, (version, (4000,), dtype, fortran, data)


def test_arrays_of_objects_hold_plain_content_and_as_many_as_they_say(tmp_path: Path) -> None:
    file = tmp_path / "file.pkl"
    mixed = np.array([[1, "a"], [None, np.float32(2)]], dtype=object)
    file.write_bytes(pickle.dumps(mixed))
    read = checkpoints.read_pickle(file)
    assert read.dtype == object and read.shape == (2, 2) and read.tolist() == mixed.tolist()
    file.write_bytes(pickle.dumps(Misfit()))
    with pytest.raises(CheckpointError, match="2 objects as an array of another size"):
        checkpoints.read_pickle(file)


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3).T, np.array(3), np.array(["ab", "c"]), np.arange(3, dtype=">f4")])
def test_npy_files_of_numbers_and_strings(array: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    np.save(file, array)
    read = checkpoints.read(file)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="ends within an array"):
        checkpoints.read(file)


def test_npy_files_of_objects_run_nothing(tmp_path: Path) -> None:
    file, sentinel = tmp_path / "a.npy", tmp_path / "ran"
    content = {"features": np.eye(2, dtype=np.float32), "labels": [np.int64(3), 4], "paths": np.array(["a", None], dtype=object)}
    np.save(file, np.array(content))
    read = checkpoints.read(file)
    np.testing.assert_array_equal(read["features"], np.eye(2))
    assert read["labels"] == [3, 4] and read["paths"].tolist() == ["a", None]
    np.save(file, np.array({"features": Call(os.system, f"touch {sentinel}")}))
    with pytest.raises(UnsafeFileError, match=r"would call 'posix.system'"):
        checkpoints.read(file)
    assert not sentinel.exists()
    for kept in (4, 40, 130, 140):
        np.save(file, np.array(content))
        file.write_bytes(file.read_bytes()[:kept])
        with pytest.raises(CheckpointError, match="truncated or no checkpoint"):
            checkpoints.read(file)


def test_an_npy_header_that_says_more_than_there_is_costs_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    with file.open("wb") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": (1 << 50,)})
    with pytest.raises(CheckpointError, match="ends within an array"):
        checkpoints.read(file)
    with file.open("wb") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": [("a", "<f4")], "fortran_order": False, "shape": (1,)})
    with pytest.raises(CheckpointError, match="array of void"):
        checkpoints.read(file)


def test_big_endian_arrays_are_refused_rather_than_garbled(tmp_path: Path) -> None:
    file = tmp_path / "file.pkl"
    file.write_bytes(pickle.dumps(np.arange(3, dtype=">f4")))
    with pytest.raises(CheckpointError):
        checkpoints.read_pickle(file)
