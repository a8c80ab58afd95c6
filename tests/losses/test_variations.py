"""DisCo's losses against the authors' recorded outputs, and against their definitions one pair at a time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from reference import variations as naive
from torch import Tensor

from genviews.errors import OptionError, ShapeError
from genviews.losses import domination_entropy, variation, variation_contrast

FORMS = ("paper", "code", "infonce")


def variations(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Of 4 queries, 3 positives and 6 negatives, (n, 5), close enough that some products are above 0.85 and some below."""
    rng = torch.Generator().manual_seed(0)
    moved = [torch.randn(n, 5, generator=rng, dtype=dtype) for n in (4, 3, 6)]
    return [variation(x, torch.zeros_like(x)).to(dtype).requires_grad_() for x in moved]


@pytest.mark.parametrize("threshold", ["0.95", "0.85"])
def test_the_authors_losses(shared: Path, threshold: str) -> None:
    with np.load(shared / "fixtures" / "loss_disco" / "io.npz") as arrays:
        recorded = {name: torch.tensor(array) for name, array in arrays.items()}
    shifted = [recorded[name].requires_grad_() for name in ("fs1", "fs2")]
    queries, positives = variation(shifted[0], recorded["f"]), variation(shifted[1], recorded["fp"])
    negatives = variation(recorded["fsn"], recorded["fn"])
    contrast = variation_contrast(queries, positives, negatives, flip_threshold=float(threshold), form="code")
    entropy = domination_entropy(queries, positives, form="code")
    gradients = torch.autograd.grad(contrast + entropy, shifted)

    def assert_recorded(ours: Tensor, name: str) -> None:
        torch.testing.assert_close(ours, recorded[f"out_{name}"], rtol=1e-5, atol=1e-8)

    assert_recorded(queries.detach(), "q")
    assert_recorded(positives.detach(), "k")
    assert_recorded(negatives.T, "queue")
    assert_recorded(contrast.detach(), f"logits_loss_th{threshold}")
    assert_recorded(entropy.detach(), f"entropy_loss_th{threshold}")
    assert_recorded((contrast + entropy).detach(), f"loss_th{threshold}")
    for gradient, name in zip(gradients, ("fs1", "fs2"), strict=True):
        torch.testing.assert_close(gradient, recorded[f"out_grad_{name}_th{threshold}"], rtol=1e-4, atol=2e-8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("temperature", "threshold"), [(1.0, 0.85), (1.0, None), (0.3, 2.5)])
def test_the_contrast_of_pairs(form: str, temperature: float, threshold: float | None) -> None:
    tensors = variations()
    products = tensors[0] @ tensors[2].T / temperature
    assert threshold is None or 0 < (products > threshold).sum() < products.numel()
    ours = variation_contrast(*tensors, temperature, threshold, form)  # type: ignore[arg-type]
    theirs = naive.contrast(*tensors, temperature, threshold, form)
    torch.testing.assert_close(ours, theirs.float(), rtol=1e-5, atol=1e-6)
    for found, right in zip(torch.autograd.grad(ours, tensors), torch.autograd.grad(theirs, tensors), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_the_entropy_of_rows(form: str) -> None:
    queries, positives, _ = variations()
    ours, theirs = domination_entropy(queries, positives, form), naive.entropy(queries, positives, form)  # type: ignore[arg-type]
    torch.testing.assert_close(ours, theirs.float(), rtol=1e-5, atol=1e-6)
    of = [queries] if form == "code" else [queries, positives]
    for found, right in zip(torch.autograd.grad(ours, of), torch.autograd.grad(theirs, of), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-6)


def test_a_domination_is_of_least_entropy() -> None:
    one, even = torch.eye(5)[:1].expand(4, -1), torch.full((4, 5), 5**-0.5)
    for form in FORMS:
        assert domination_entropy(one, one, form) < domination_entropy(even, even, form) - 0.01  # type: ignore[arg-type]


def test_a_variation_is_the_size_of_what_changes() -> None:
    base = torch.tensor([[1.0, 2, 3], [0, 0, 0]])
    shifted = torch.tensor([[4.0, 2, -1], [0, 0, 0]], requires_grad=True)
    found = variation(shifted, base)
    torch.testing.assert_close(found, torch.tensor([[0.6, 0, 0.8], [0, 0, 0]]))
    found.sum().backward()
    assert shifted.grad is not None and shifted.grad.isfinite().all()  # of an image that did not change, too


@pytest.mark.parametrize("form", FORMS)
def test_extreme_logits_stay_finite(form: str) -> None:
    tensors = [torch.ones(2, 3, requires_grad=True) for _ in range(3)]
    loss = variation_contrast(*tensors, temperature=1e-3, form=form)  # type: ignore[arg-type]
    assert loss.isfinite() and all(gradient.isfinite().all() for gradient in torch.autograd.grad(loss, tensors))


@pytest.mark.parametrize("form", FORMS)
def test_autocast_computes_in_float32(form: str) -> None:
    queries, positives, negatives = (x.detach().float() for x in variations())

    def loss() -> Tensor:
        return variation_contrast(queries, positives, negatives, form=form) + domination_entropy(queries, positives, form)  # type: ignore[arg-type]

    with torch.autocast("cpu", torch.bfloat16):
        inside = loss()
    torch.testing.assert_close(inside, loss(), rtol=0, atol=0)


def test_what_cannot_be_contrasted_is_refused() -> None:
    queries, positives, negatives = variations()
    with pytest.raises(ShapeError, match=r"variation takes two \(B, D\) tensors of one shape, got \(4, 5\) and \(3, 5\)"):
        variation(queries, positives)
    with pytest.raises(ShapeError, match="at least one row"):
        variation_contrast(queries, positives, negatives[:0])
    with pytest.raises(ShapeError, match=r"\(4, 5\) and \(3, 4\)"):
        domination_entropy(queries, positives[:, :4])
    with pytest.raises(OptionError, match="temperature is 0; it must be positive"):
        variation_contrast(queries, positives, negatives, temperature=0)
    for refuse in (lambda: variation_contrast(*variations(), form="bce"), lambda: domination_entropy(queries, positives, "bce")):  # type: ignore[arg-type]
        with pytest.raises(OptionError, match="form is 'bce'; choose paper, code, infonce"):
            refuse()
