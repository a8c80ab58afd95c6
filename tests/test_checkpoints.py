import resource
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from genviews import checkpoints
from genviews.errors import CheckpointError, RunError
from genviews.unpickling import Inert

DTYPES = [
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tied = self.layer = nn.Linear(3, 2, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm1d(2)])
        self.empty = None
        self.register_module("absent", None)
        self.register_buffer("cache", torch.ones(1), persistent=False)


def assert_same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype and torch.equal(ours[name], tensor), name


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("plain", [True, False], ids=["plain", "with a module"])
def test_reads_every_dtype_and_layout_in_both_formats(zipped: bool, plain: bool, tmp_path: Path) -> None:
    base = torch.arange(24).reshape(4, 6)
    tensors = {str(dtype): base.to(dtype).t()[1:] for dtype in [*DTYPES, torch.bool]} | {"none": torch.empty(0, 3)}
    content = {"epoch": 3, "device": torch.device("cuda:1"), "shape": base.shape, "dtype": torch.float16, "steps": Counter("aab")}
    saved = content | {"tensors": tensors}
    torch.save(saved if plain else saved | {"model": Net()}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    read = checkpoints.read(tmp_path / "a.pt")
    assert_same(read.pop("tensors"), tensors)
    read.pop("model", None)
    assert read == content


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickled_module_gives_its_state_dict(zipped: bool, tmp_path: Path) -> None:
    model = Net()
    torch.save(model, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    read = checkpoints.read(tmp_path / "a.pt")
    assert isinstance(read, Inert) and read.origin.endswith(".Net")
    state = checkpoints.module_state(read)
    assert_same(state, model.state_dict())
    state["layer.weight"].zero_()
    assert not state["tied.weight"].any()


def test_a_file_from_before_pytorch_1_6_with_modules_and_their_source(shared: Path) -> None:
    folder = shared / "fixtures" / "genrep_walk"
    read, recorded = checkpoints.read(folder / "checkpoint.pth"), np.load(folder / "io.npz")
    np.testing.assert_array_equal(read["walk_jit"], recorded["out_walk_jit"])
    walk = nn.Sequential(nn.Linear(132, 132), nn.ReLU(), nn.Linear(132, 128))
    walk.load_state_dict(checkpoints.module_state(read["walk_rrc"]))
    inputs = torch.from_numpy(np.concatenate([recorded["z"], recorded["alphas_rrc"]], axis=1))
    np.testing.assert_allclose(walk(inputs).detach(), recorded["out_rrc"], rtol=1e-5, atol=1e-6)


def test_a_stylegan_pickle_whose_source_would_raise(shared: Path) -> None:
    read = checkpoints.read(shared / "fixtures" / "stylegan2_ada" / "checkpoint.pkl")
    assert checkpoints.module_state(read["G_ema"])["mapping.w_avg"].shape == (48,)


@pytest.mark.parametrize("name", ["a.safetensors", "a.bin"])
def test_safetensors_by_any_name(name: str, tmp_path: Path) -> None:
    tensors = {"a": torch.ones(2), "b": torch.arange(3)}
    save_file(tensors, tmp_path / name)
    assert_same(checkpoints.read(tmp_path / name), tensors)


def test_nothing_but_a_module_has_a_state_dict() -> None:
    for other in ({}, Inert("a.B"), Inert("a.B", state={"_parameters": {}})):
        with pytest.raises(CheckpointError, match=r"no pickled nn\.Module"):
            checkpoints.module_state(other)


def test_modules_that_have_no_state_dict() -> None:
    def module(**parts: object) -> Inert:
        return Inert("a.B", state={"_parameters": {}, "_buffers": {}, "_modules": {}} | parts)

    endless = module()
    endless.state["_modules"] |= {"first": endless, "second": endless}
    with pytest.raises(CheckpointError, match=r"a\.B contains itself"):
        checkpoints.module_state(endless)
    for parameters in ({"weight": 5}, {"weight": [torch.ones(1)]}):
        with pytest.raises(CheckpointError, match=r"a\.B has parameters or buffers that are no tensors"):
            checkpoints.module_state(module(_modules={"layer": module(_parameters=parameters)}))


def test_files_that_are_missing_empty_truncated_or_foreign(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is missing"):
        checkpoints.read(tmp_path / "no.pt")
    with pytest.raises(CheckpointError, match="is a folder"):
        checkpoints.read(tmp_path)
    (tmp_path / "empty.pt").touch()
    with pytest.raises(CheckpointError, match="is empty"):
        checkpoints.read(tmp_path / "empty.pt")
    for name in ("a.txt", "a.png", "a.safetensors"):
        (tmp_path / name).write_bytes(b"\x89PNG not a checkpoint" * 9)
        with pytest.raises(CheckpointError, match="truncated or no"):
            checkpoints.read(tmp_path / name)


@pytest.mark.parametrize("kept", [0.999, 0.9, 0.5, 0.1])
def test_truncated_files_are_named_in_one_line(kept: float, tmp_path: Path) -> None:
    content = {"model": Net(), "weight": torch.randn(64, 64)}
    save_file({"weight": content["weight"]}, tmp_path / "st.safetensors")
    torch.save(content, tmp_path / "zip.pt")
    torch.save(content, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    for file in list(tmp_path.iterdir()):
        data = file.read_bytes()
        file.write_bytes(data[: int(kept * len(data))])
        with pytest.raises(CheckpointError, match="truncated or no") as caught:
            checkpoints.read(file)
        assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_a_model_folder_holds_weights_and_description(tmp_path: Path) -> None:
    model = Net()
    del model.tied
    checkpoints.write_model(tmp_path / "run" / "model", model, kind="net", config={"width": 3})
    description, state = checkpoints.read_model(tmp_path / "run" / "model")
    assert description == {"kind": "net", "config": {"width": 3}}
    assert_same(state, model.state_dict())
    for text, message in (
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "holds no JSON object"),
        ('{"kind": "net"}', "has no config"),
        ('{"kind": "net", "config": 3}', "has no config"),
    ):
        (tmp_path / "run" / "model" / "model.json").write_text(text)
        with pytest.raises(CheckpointError, match=message):
            checkpoints.read_model(tmp_path / "run" / "model")
    (tmp_path / "run" / "model" / "model.json").unlink()
    with pytest.raises(CheckpointError, match=r"model\.json is missing"):
        checkpoints.read_model(tmp_path / "run" / "model")


def test_weights_that_cannot_be_written_are_one_line(tmp_path: Path) -> None:
    checkpoints.write_model(tmp_path, nn.Linear(2, 2), config={})
    before = (tmp_path / "model.safetensors").read_bytes()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, unlimited[1]))
    try:
        with pytest.raises(RunError, match=f"{tmp_path} cannot be written .File too large") as caught:
            checkpoints.write_model(tmp_path, nn.Linear(100, 100), config={})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "model.safetensors").read_bytes() == before
