"""Navigators on disk: this project's folders, and files as COP-Gen's authors write theirs."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from genviews.errors import CheckpointError, OptionError, UnsafeFileError
from genviews.latents import Identity, Navigator
from genviews.latents.files import load, save

AUTHORS = """
import os, sys, torch
from torch import nn

class NonlinearWalk(nn.Module):
    def __init__(self):
        super().__init__()
        self.walker = nn.Sequential(nn.Linear(120, 120), nn.ReLU(), nn.Linear(120, 120))

class Evil:
    def __reduce__(self):
        return os.system, (f"touch {sys.argv[2]}",)

torch.manual_seed(0)
walker = nn.DataParallel(NonlinearWalk())
walker.device_ids, walker.output_device, walker.src_device_obj = [0, 1, 2, 3], 0, torch.device("cuda:0")
if len(sys.argv) > 2:
    walker.module.extra = Evil()
torch.serialization.register_package(0, lambda storage: "cuda:0", lambda storage, location: None)
torch.save({"nn_walker": walker}, sys.argv[1])
torch.save(walker.state_dict(), sys.argv[1] + ".state")
"""


def authors_file(folder: Path, *sentinel: str) -> Path:
    subprocess.run([sys.executable, "-W", "ignore", "-c", AUTHORS, str(folder / "walker.pth"), *sentinel], check=True)
    return folder / "walker.pth"


def test_the_authors_navigator_file(tmp_path: Path) -> None:
    file = authors_file(tmp_path)
    with zipfile.ZipFile(file) as archive:
        pickled = archive.read("walker/data.pkl")
    assert b"cuda:0" in pickled and b"c__main__\nNonlinearWalk" in pickled
    navigator = load(file)
    assert isinstance(navigator, Navigator) and not navigator.training
    assert not any(parameter.requires_grad for parameter in navigator.parameters())
    state = torch.load(file.with_name("walker.pth.state"), map_location="cpu")
    latents = torch.randn(5, 120, generator=torch.Generator().manual_seed(0))
    hidden = torch.nn.functional.linear(latents, state["module.walker.0.weight"], state["module.walker.0.bias"]).relu()
    moved = latents + torch.nn.functional.linear(hidden, state["module.walker.2.weight"], state["module.walker.2.bias"])
    torch.testing.assert_close(navigator(latents), moved)


def test_a_hostile_navigator_file_is_refused(tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"
    with pytest.raises(UnsafeFileError, match=r"posix\.system"):
        load(authors_file(tmp_path, str(sentinel)))
    assert not sentinel.exists()


@pytest.mark.parametrize("linear", [False, True])
def test_state_dicts_of_walkers_without_data_parallel(linear: bool, tmp_path: Path) -> None:
    theirs = Navigator(6, hidden=6 if linear else 9, linear=linear, seed=4)
    state = {f"walker.{name}": tensor for name, tensor in theirs.walk.state_dict().items()}
    torch.save({"nn_walker": state}, tmp_path / "walker.pth")
    latents = torch.randn(3, 6)
    assert torch.equal(load(tmp_path / "walker.pth")(latents), theirs(latents))


def test_a_saved_navigator_moves_latents_the_same(tmp_path: Path) -> None:
    navigator = Navigator(6, hidden=9, radius=0.1, seed=2)
    save(navigator, tmp_path / "T")
    loaded = load(tmp_path / "T")
    latents = torch.randn(8, 6)
    assert torch.equal(loaded(latents), navigator(latents))
    assert isinstance(loaded, Navigator) and loaded.radius == 0.1
    assert not loaded.training and not any(parameter.requires_grad for parameter in loaded.parameters())


def test_what_is_no_transform_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="a Identity cannot be saved; these can: navigator"):
        save(Identity(), tmp_path)
    torch.save({"model": 1}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="no latent transform"):
        load(tmp_path / "a.pt")
    torch.save({"nn_walker": {"other.weight": torch.ones(1)}}, tmp_path / "b.pt")
    with pytest.raises(CheckpointError, match=r"holds other\.weight; expected a matrix walker\.0\.weight"):
        load(tmp_path / "b.pt")
    (tmp_path / "model.json").write_text('{"family": "realnvp", "config": {}}')
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("walker", "message"),
    [
        (5, "neither a module nor the state dict"),
        ({1: torch.ones(2, 2)}, "neither a module nor the state dict"),
        ({"walker.0.weight": 1}, "neither a module nor the state dict"),
        ({"walker.0.weight": torch.ones(4)}, "expected a matrix walker"),
        ({"walker.0.weight": torch.ones(4, 4), "walker.0.bias": torch.ones(3)}, "size mismatch"),
    ],
)
def test_walkers_that_are_none(walker: object, message: str, tmp_path: Path) -> None:
    torch.save({"nn_walker": walker}, tmp_path / "walker.pth")
    with pytest.raises(CheckpointError, match=f"{tmp_path}/walker.pth does not fit .*{message}") as caught:
        load(tmp_path / "walker.pth")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"kind": "walk", "config": {}}, "no latent transform of the kinds navigator"),
        ({"kind": ["navigator"], "config": {}}, "unhashable"),
        ({"kind": "navigator", "config": {"dim": 6, "speed": 3}}, "speed"),
        ({"kind": "navigator", "config": {"dim": 7}}, "size mismatch"),
        ({"kind": "navigator", "config": {"dim": "6"}}, "str"),
        (["navigator"], "holds no JSON object"),
    ],
)
def test_folders_whose_description_does_not_fit(description: object, message: str, tmp_path: Path) -> None:
    save(Navigator(6), tmp_path)
    (tmp_path / "model.json").write_text(json.dumps(description))
    with pytest.raises(CheckpointError, match=message) as caught:
        load(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
