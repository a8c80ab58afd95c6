import math

import pytest
import torch
from torch import nn

from genviews.errors import OptionError, ShapeError
from genviews.latents import Navigator, distance

LATENTS = torch.randn(500, 10, generator=torch.Generator().manual_seed(0))


def naive(navigator: Navigator, latent: list[float], radius: float | None) -> list[float]:
    """z' = z + T(z) for one latent, in loops over the weights."""
    weights = {name: tensor.tolist() for name, tensor in navigator.walk.state_dict().items()}

    def layer(index: int, x: list[float]) -> list[float]:
        rows, biases = weights[f"{index}.weight"], weights[f"{index}.bias"]
        return [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(rows, biases, strict=True)]

    shift = layer(0, latent)
    if "2.weight" in weights:
        shift = layer(2, [max(value, 0.0) for value in shift])
    length = math.sqrt(sum(value**2 for value in shift) / len(shift))
    scale = 1.0 if radius is None or length <= radius else radius / length
    return [z + scale * value for z, value in zip(latent, shift, strict=True)]


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("radius", [None, 0.2])
def test_it_adds_its_displacement(linear: bool, radius: float | None) -> None:
    navigator = Navigator(10, hidden=None if linear else 23, linear=linear, radius=radius, init_std=0.2)
    expected = torch.tensor([naive(navigator, latent, radius) for latent in LATENTS[:20].tolist()])
    torch.testing.assert_close(navigator(LATENTS[:20]), expected)
    if radius:
        lengths = distance(navigator(LATENTS), LATENTS)
        assert (lengths < 0.19).any() and (lengths > 0.1999).any()  # both branches ran


def test_layers() -> None:
    def layers(navigator: Navigator) -> list[str]:
        return [str(layer) for layer in navigator.walk]

    linear = "Linear(in_features={}, out_features={}, bias=True)".format
    assert layers(Navigator(10)) == [linear(10, 10), "ReLU()", linear(10, 10)]
    assert layers(Navigator(10, hidden=64)) == [linear(10, 64), "ReLU()", linear(64, 10)]
    assert layers(Navigator(10, linear=True)) == [linear(10, 10)]


def test_no_displacement_leaves_the_ball() -> None:
    navigator = Navigator(10, radius=0.05, init="he")
    assert distance(Navigator(10, init="he")(LATENTS), LATENTS).min() > 0.05
    torch.testing.assert_close(distance(navigator(LATENTS), LATENTS), torch.full((500,), 0.05), rtol=1e-3, atol=0)


def test_gradients_are_finite_at_no_displacement() -> None:
    navigator = Navigator(10, radius=0.3)
    for parameter in navigator.walk[-1].parameters():
        nn.init.zeros_(parameter)
    latents = LATENTS.clone().requires_grad_()
    navigator(latents).sum().backward()
    assert navigator(latents).equal(latents)
    assert all(tensor.grad.isfinite().all() for tensor in (latents, *navigator.parameters()))
    torch.testing.assert_close(navigator.walk[-1].bias.grad, torch.full((10,), 500.0))


def test_he_initialisation() -> None:
    navigator = Navigator(400, hidden=800, init="he")
    for layer, fan_in in zip(navigator.walk[::2], (400, 800), strict=True):
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / fan_in), rel=0.01)
        assert layer.bias.abs().max() == 0
    default = Navigator(400, hidden=800).walk[0]
    assert default.weight.abs().max().item() == pytest.approx(1 / math.sqrt(400), rel=0.01)  # PyTorch's uniform
    assert default.bias.abs().max() > 0


@pytest.mark.parametrize("options", [{}, {"linear": True}, {"init": "he"}, {"hidden": 50}])
def test_the_displacements_std_at_the_start(options: dict) -> None:
    latents = torch.randn(20_000, 30, generator=torch.Generator().manual_seed(1))
    assert Navigator(30, init_std=0.01, **options).displacement(latents).std().item() == pytest.approx(0.01, rel=0.03)


def test_initialisation_follows_the_seed_and_leaves_the_global_state() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (Navigator(10, init_std=0.1, seed=seed)(LATENTS) for seed in (0, 0, 1))
    assert first.equal(again) and not first.equal(other)
    assert torch.random.get_rng_state().equal(before)


@pytest.mark.parametrize("shape", [(5, 9), (10,), (2, 5, 10)])
def test_latents_of_another_generator_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"moves latents \(B, 10\), got .*; train one for this G"):
        Navigator(10)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"init": "xavier"}, "init is 'xavier'; choose 'default' or 'he'"),
        ({"radius": 0.0}, "radius is 0.0; it must be positive"),
        ({"radius": -1.0}, "radius is -1.0; it must be positive"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Navigator(10, **options)
