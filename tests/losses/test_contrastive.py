"""InfoNCE against a double loop, the recorded outputs of other projects, and its own limits."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from reference import losses as naive

from genviews.errors import OptionError, ShapeError
from genviews.losses import info_nce


def embeddings(seed: int, count: int = 7, dim: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, count, dim, generator=rng, dtype=torch.float64)
    return first.requires_grad_(), second.requires_grad_()


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("negatives", ["both", "cross"])
@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_value_and_gradient_equal_the_double_loop(temperature: float, negatives: str, symmetric: bool) -> None:
    first, second = embeddings(0)
    expected = naive.info_nce(first, second, temperature, negatives, symmetric)
    gradients = torch.autograd.grad(expected, (first, second))
    loss = info_nce(first.float(), second.float(), temperature, negatives, symmetric)
    torch.testing.assert_close(loss, expected.float(), rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(torch.autograd.grad(loss, (first, second)), gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_agrees_with_lightly(shared: Path, temperature: float) -> None:
    recorded = np.load(shared / "fixtures" / "loss_lightly" / "io.npz")
    first, second = (torch.tensor(recorded[name], requires_grad=True) for name in ("z0", "z1"))
    loss = info_nce(first, second, temperature)
    np.testing.assert_allclose(loss.item(), recorded[f"out_ntxent_T{temperature}"], rtol=1e-5)
    (gradient,) = torch.autograd.grad(loss, first)
    np.testing.assert_allclose(gradient, recorded[f"out_grad_z0_ntxent_T{temperature}"], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("symmetric", "form"), [(True, ""), (False, "_one")])
@pytest.mark.parametrize("temperature", [0.07, 0.1, 0.5])
def test_agrees_with_supcon_without_labels(shared: Path, temperature: float, symmetric: bool, form: str) -> None:
    """COP-Gen's own code calls this loss, which multiplies by temperature / base_temperature (1 in `_b1`, else 0.07)."""
    recorded = np.load(shared / "fixtures" / "loss_supcon" / "io.npz")
    first, second = torch.tensor(recorded["features"]).unbind(1)
    loss = info_nce(first, second, temperature, symmetric=symmetric) * temperature
    expected = recorded[f"out_self_T{temperature}_b1"] if symmetric else recorded[f"out_self_T{temperature}_one"] * 0.07
    np.testing.assert_allclose(loss.item(), expected, rtol=2e-5)


def test_does_not_depend_on_scale_or_order() -> None:
    first, second = (x.detach().float() for x in embeddings(1))
    order = torch.randperm(len(first), generator=torch.Generator().manual_seed(0))
    loss = info_nce(first, second)
    torch.testing.assert_close(info_nce(3 * first, 0.1 * second), loss)
    torch.testing.assert_close(info_nce(first[order], second[order]), loss)


def test_without_information_it_is_the_logarithm_of_the_candidates() -> None:
    same = torch.ones(6, 4)
    assert info_nce(same, same).item() == pytest.approx(math.log(11), rel=1e-5)
    assert info_nce(same, same, negatives="cross").item() == pytest.approx(math.log(6), rel=1e-5)


def test_bfloat16_autocast_computes_in_float32() -> None:
    first, second = (x.detach().float() for x in embeddings(2))
    with torch.autocast("cpu", torch.bfloat16):
        inside = info_nce(first, second)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, info_nce(first, second), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("first", "second", "options", "error", "message"),
    [
        (torch.ones(1, 3), torch.ones(1, 3), {}, ShapeError, "batch of 1"),
        (torch.ones(2, 3), torch.ones(3, 3), {}, ShapeError, r"\(2, 3\) and \(3, 3\)"),
        (torch.ones(2, 3), torch.ones(2, 3), {"negatives": "all"}, OptionError, "'all'"),
        (torch.ones(2, 3), torch.ones(2, 3), {"temperature": 0.0}, OptionError, "temperature is 0"),
    ],
)
def test_bad_input_is_refused(first, second, options, error, message) -> None:
    with pytest.raises(error, match=message):
        info_nce(first, second, **options)
