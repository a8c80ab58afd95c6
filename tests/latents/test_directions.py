"""Directions: what their kinds promise, the authors' recorded outputs, and files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import expm
from torch import Tensor

from genviews.errors import CheckpointError, OptionError, ShapeError
from genviews.latents import Directions, LatentTransform, Navigator, load, save
from genviews.latents.directions import DirectionKind

KINDS: tuple[DirectionKind, ...] = ("unit", "orthonormal", "mlp", "projective")


def shifts(n: int = 4, count: int = 5) -> Tensor:
    return torch.randn(n, count, generator=torch.Generator().manual_seed(1))


def each(directions: Directions) -> Tensor:
    """The displacements (K, D) of a shift of 1 along each."""
    return directions(torch.arange(directions.count), torch.ones(directions.count))


@pytest.mark.parametrize("kind", ["ortho", "proj"])
def test_the_authors_navigators(shared: Path, kind: str) -> None:
    folder = shared / "fixtures" / "disco_navigator"
    directions = load(folder / f"navigator_{kind}.pth", Directions)
    with np.load(folder / "io.npz") as arrays:
        shift, expected = (torch.tensor(arrays[f"{name}_{kind}"]) for name in ("shift", "out"))
    assert not directions.training and not any(parameter.requires_grad for parameter in directions.parameters())
    torch.testing.assert_close(directions.displacement(shift), expected, rtol=1e-5, atol=1e-5)
    one = shift[:-1]  # shifts along one direction each, but for the last
    index = one.abs().argmax(1)
    torch.testing.assert_close(directions(index, one.gather(1, index[:, None])[:, 0]), expected[:-1], rtol=1e-5, atol=1e-5)


def test_unit_directions_are_their_vectors_normalised() -> None:
    directions = Directions(8, 12, "unit")  # more than dimensions
    vectors = directions.weight / directions.weight.square().sum(1, keepdim=True).sqrt()
    torch.testing.assert_close(each(directions).norm(dim=1), torch.ones(12))
    torch.testing.assert_close(directions(torch.tensor([11, 2]), torch.tensor([2.0, -3.0]))[1], -3 * vectors[2])
    torch.testing.assert_close(directions.displacement(shifts(count=12)), shifts(count=12) @ vectors)


def test_orthonormal_directions_are_columns_of_the_exponential() -> None:
    directions = Directions(8, 5, "orthonormal")
    torch.nn.init.normal_(directions.log_mat_half)  # far from the start, too
    found = each(directions)
    torch.testing.assert_close(found @ found.T, torch.eye(5), rtol=0, atol=1e-5)
    half = directions.log_mat_half.detach().double().numpy()
    expected = torch.tensor(expm(half - half.T)[:, :5]).T.float()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(directions.displacement(shifts()), shifts() @ expected, rtol=0, atol=1e-5)


def test_an_mlp_leaves_a_latent_that_is_not_shifted() -> None:
    directions = Directions(8, 5, "mlp", hidden=3)
    assert directions.displacement(torch.zeros(2, 5)).equal(torch.zeros(2, 8))
    first, _, second = directions.network
    hidden = shifts() @ first.weight.T
    expected = torch.where(hidden > 0, hidden, 0.2 * hidden) @ second.weight.T
    torch.testing.assert_close(directions.displacement(shifts()), expected)


def test_projective_displacements_are_as_long_as_the_shifts() -> None:
    directions = Directions(8, 5, "projective")
    torch.nn.init.normal_(directions.linear.bias)
    torch.testing.assert_close(directions.displacement(shifts()).norm(dim=1), shifts().norm(dim=1))
    assert directions.displacement(torch.zeros(2, 5)).equal(torch.zeros(2, 8))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences(kind: DirectionKind) -> None:
    directions = Directions(4, 3, kind).double()
    index, shift = torch.tensor([2, 0, 2]), torch.tensor([0.7, -1.3, 2.1], dtype=torch.float64, requires_grad=True)
    names, parameters = zip(*directions.named_parameters(), strict=True)

    def displacement(shift: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(directions, dict(zip(names, values, strict=True)), (index, shift))

    assert torch.autograd.gradcheck(displacement, (shift, *parameters))


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_is_the_start_and_autocast_does_not_blur_it(kind: DirectionKind) -> None:
    directions = Directions(8, 5, kind, seed=3)
    expected = each(directions)
    assert each(Directions(8, 5, kind, seed=3)).equal(expected) and not each(Directions(8, 5, kind, seed=4)).allclose(expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert each(directions).equal(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_they_are_the_same(kind: DirectionKind, tmp_path: Path) -> None:
    directions = Directions(8, 5, kind, hidden=3, space="w", seed=3)
    save(directions, tmp_path)
    loaded = load(tmp_path, Directions)
    assert loaded.config == directions.config and (loaded.dim, loaded.count, loaded.kind, loaded.space) == (8, 5, kind, "w")
    assert not loaded.training and not any(parameter.requires_grad for parameter in loaded.parameters())
    assert loaded.displacement(shifts()).equal(directions.displacement(shifts()))


def test_directions_of_vectors(tmp_path: Path) -> None:
    vectors = shifts(3, 6)
    directions = Directions.of(vectors, "w+")
    torch.testing.assert_close(each(directions), torch.stack([row / row.norm() for row in vectors]))
    assert directions.space == "w+" and not directions.weight.requires_grad
    save(directions, tmp_path)
    assert each(load(tmp_path)).equal(each(directions))


def test_what_is_no_direction_is_refused(tmp_path: Path) -> None:
    for arguments, message in [
        ((8, 0), "count is 0; it must be positive"),
        ((8, 9, "orthonormal"), "count is 9; a latent space of 8 dimensions has no more than 8 orthonormal directions"),
        ((8, 3, "linear"), "kind is 'linear'; choose unit, orthonormal, mlp or projective"),
        ((8, 3, "mlp", 0), "hidden is 0"),
    ]:
        with pytest.raises(OptionError, match=message):
            Directions(*arguments)  # type: ignore[arg-type]
    directions = Directions(8, 5)
    for wrong in (shifts(count=4), shifts()[0]):
        with pytest.raises(ShapeError, match=r"the 5 directions take shifts \(B, 5\), got "):
            directions.displacement(wrong)
    with pytest.raises(ShapeError, match=r"directions are vectors \(K, D\), got \(5,\)"):
        Directions.of(shifts()[0])
    with pytest.raises(ShapeError, match=r"direction 1 of 2 is a vector of zeros"):
        Directions.of(torch.eye(2) * torch.tensor([1.0, 0]))
    save(Navigator(6), tmp_path / "T")
    save(directions, tmp_path / "D")
    with pytest.raises(CheckpointError, match=r"T holds Navigator; expected Directions"):
        load(tmp_path / "T", Directions)
    with pytest.raises(CheckpointError, match=r"D holds Directions; expected LatentTransform"):
        load(tmp_path / "D", LatentTransform)
    for state, message in [
        ({"linear.weight": torch.ones(3)}, "does not fit"),
        ({"log_mat_half": torch.ones(3, 4)}, "size mismatch"),
        ({"linear.bias": torch.ones(3)}, "lacks 'linear.weight'"),
    ]:
        torch.save(state, tmp_path / "a.pth")
        with pytest.raises(CheckpointError, match=message):
            load(tmp_path / "a.pth")
