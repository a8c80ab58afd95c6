"""Steered walks: their formula, their lengths, and GenRep's files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genviews.checkpoints import module_state, read
from genviews.errors import CheckpointError, OptionError, ShapeError
from genviews.latents import LENGTHS, Gaussian, Steering, load, save

EDITS = ("red", "green", "blue", "rotation_3d", "rotation_2d", "zoom", "shift_x", "shift_y")


def test_the_vectors_add_up() -> None:
    steering, z, alphas = Steering(5, EDITS), torch.randn(3, 5), torch.randn(3, 8)
    expected = torch.stack([sum((alphas[i, k] * steering.walks[k] for k in range(8)), torch.zeros(5)) for i in range(3)])
    torch.testing.assert_close(steering.displacement(z, alphas), expected)
    assert abs(Steering(5000, EDITS).walks.std() - 0.1) < 0.002


def test_the_network_sees_latent_and_lengths() -> None:
    steering, z, alphas = Steering(5, EDITS, hidden=7), torch.randn(3, 5), torch.randn(3, 8)
    first, _, second = steering.network
    hidden = (torch.cat([z, alphas], 1) @ first.weight.T + first.bias).clamp(min=0)
    torch.testing.assert_close(steering.displacement(z, alphas), hidden @ second.weight.T + second.bias)


@pytest.mark.parametrize("hidden", [None, 7])
def test_it_walks_by_drawn_lengths_that_belong_to_the_sample(hidden: int | None) -> None:
    steering, z, seeds = Steering(5, EDITS, hidden), torch.randn(6, 5), torch.arange(6)
    moved = steering(z, rng=seeds)
    torch.testing.assert_close(moved, z + steering.displacement(z, steering.draw(seeds)))
    torch.testing.assert_close(steering(z[4:], rng=seeds[4:]), moved[4:])
    assert not steering(z, rng=seeds + 6).allclose(moved)


def test_the_lengths_are_those_of_genrep() -> None:
    drawn = dict(zip(EDITS, Steering(5, EDITS).draw(torch.arange(20_000)).unbind(1), strict=True))
    for name, count in (("rotation_3d", 13), ("rotation_2d", 13), ("shift_x", 21), ("shift_y", 21)):
        values, counts = drawn[name].unique(return_counts=True)
        np.testing.assert_allclose(values, np.linspace(-1, 1, count), atol=1e-6)
        assert counts.min() > 0.8 * 20_000 / count
    for name in ("red", "green", "blue"):
        assert drawn[name].min() >= -0.5 and drawn[name].max() < 0.5 and abs(drawn[name].std() - 12**-0.5) < 0.01
    window = drawn["zoom"].exp()
    assert abs((window < 1).float().mean() - 0.5) < 0.02
    for low, high in ((0.25, 1.0), (1.0, 4.0)):
        part = window[(window >= low) & (window < high)]
        assert abs(part.mean() - (low + high) / 2) < 0.02 * high and abs(part.std() - (high - low) * 12**-0.5) < 0.02 * high
    assert abs(torch.corrcoef(torch.stack([*drawn.values()])) - torch.eye(8)).max() < 0.04


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_grow_with_the_uniform_number(name: str) -> None:
    alphas = LENGTHS[name](torch.linspace(0, 1 - 2**-24, 101))
    assert (alphas.diff() >= 0).all() and alphas[0] < 0 < alphas[-1]


@pytest.mark.parametrize("hidden", [None, 7])
def test_saved_it_walks_the_same(hidden: int | None, tmp_path: Path) -> None:
    steering, z, seeds = Steering(5, ("zoom", "shift_x"), hidden, seed=3), torch.randn(6, 5), torch.arange(6)
    save(steering, tmp_path)
    assert json.loads((tmp_path / "model.json").read_text())["kind"] == "steering"
    loaded = load(tmp_path)
    assert torch.equal(loaded(z, rng=seeds), steering(z, rng=seeds))
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_genreps_composed_walks(tmp_path: Path) -> None:
    """The file of biggan_steer_train.py, and its formula."""
    walks = {f"walk_{name}": torch.randn(1, 6, requires_grad=True) for name in ("rot3d", "rot2d", "zoom", "shiftx", "shifty")}
    walks["walk_color"] = torch.randn(1, 6, 3, requires_grad=True)
    torch.save(walks, tmp_path / "w.pth")
    steering = load(tmp_path / "w.pth")
    assert isinstance(steering, Steering) and set(steering.edits) == {*EDITS}
    z, alphas = torch.randn(4, 6), {name: torch.randn(4, 1) for name in EDITS}
    moved = z + alphas["rotation_3d"] * walks["walk_rot3d"] + alphas["rotation_2d"] * walks["walk_rot2d"]
    moved = moved + alphas["zoom"] * walks["walk_zoom"]
    moved = moved + alphas["shift_x"] * walks["walk_shiftx"] + alphas["shift_y"] * walks["walk_shifty"]
    for channel, name in enumerate(("red", "green", "blue")):
        moved = moved + alphas[name] * walks["walk_color"][:, :, channel]
    given = torch.cat([alphas[name] for name in steering.edits], dim=1)
    torch.testing.assert_close(z + steering.displacement(z, given), moved.detach())


def test_a_published_walk(shared: Path) -> None:
    folder = shared / "fixtures" / "genrep_walk"
    recorded = {name: torch.from_numpy(array) for name, array in np.load(folder / "io.npz").items()}
    steering = load(folder / "checkpoint.pth")
    assert isinstance(steering, Steering) and steering.edits == ("hue",)
    assert torch.equal(steering.walks, recorded["out_walk_jit"][:, :, 0])
    z, hue = recorded["z"], recorded["alphas_jit"][:, 3:]
    torch.testing.assert_close(z + steering.displacement(z, hue), recorded["out_z_new"])
    network = Steering(128, ("zoom", "hue", "shift_x", "shift_y"), hidden=132)
    network.network.load_state_dict(module_state(read(folder / "checkpoint.pth")["walk_rrc"]))
    torch.testing.assert_close(network.displacement(z, recorded["alphas_rrc"]), recorded["out_rrc"])


@pytest.mark.parametrize(
    "walks",
    [
        {"walk_zoom": 5},
        {"walk_zoom": torch.ones(6)},
        {"walk_zoom": torch.ones(1, 6), "walk_rot2d": torch.ones(1, 7)},
        {"walk_color": torch.ones(1, 6)},
        {"walk_zoom": nn.Linear(2, 2).state_dict()},
    ],
)
def test_walks_that_are_none(walks: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(walks, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=f"{tmp_path}/w.pth") as caught:
        load(tmp_path / "w.pth")
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(OptionError, match="edit 'spin' is unknown; choose from brightness"):
        Steering(5, ("zoom", "spin"))
    with pytest.raises(OptionError, match="name one or more, each once"):
        Steering(5, ("zoom", "zoom"))
    steering = Steering(5, ("zoom", "shift_x"))
    for z, alphas in (
        (torch.ones(2, 6), torch.ones(2, 2)),
        (torch.ones(2, 5), torch.ones(2, 3)),
        (torch.ones(2, 5), torch.ones(2)),
    ):
        with pytest.raises(ShapeError, match=r"take latents \(B, 5\) and alphas \(B, 2\)"):
            steering.displacement(z, alphas)
    assert not isinstance(Gaussian(), Steering)
