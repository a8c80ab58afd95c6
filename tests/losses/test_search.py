"""W-search's objective against its definition and against the authors' code."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from reference import search as naive
from torch import Tensor

from genviews.errors import OptionError, ShapeError
from genviews.losses import spread, view_search


def embeddings(*shape: int) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64), dim=-1)


@pytest.mark.parametrize(("boundary", "uniformity", "weight"), [(0.3, 0.5, 0.01), (1.2, 1.45, 0.7), (0.2, 2.0, 3.0)])
def test_each_anchor_by_itself(boundary: float, uniformity: float, weight: float) -> None:
    views, targets = embeddings(3, 5, 7), embeddings(4, 7)[1:]
    losses = view_search(views, targets, boundary, uniformity, weight)
    expected = [naive.view_search(*rows, boundary, uniformity, weight) for rows in zip(views, targets, strict=True)]
    assert losses.shape == (3,)
    torch.testing.assert_close(losses, torch.stack(expected).double())


@pytest.mark.parametrize("distance", ["norm", "cosine"])
@pytest.mark.parametrize("side", ["both", "outside"])
def test_gradient(distance: str, side: str) -> None:
    views, targets = embeddings(2, 3, 4).requires_grad_(), embeddings(3, 4)[1:].requires_grad_()
    assert torch.autograd.gradcheck(lambda v, t: view_search(v, t, 0.9, 1.5, 0.5, distance, side), (views, targets))


def test_a_view_at_the_anchor_has_a_gradient() -> None:
    """A finite one, of the repulsion alone."""
    views = embeddings(1, 3, 4)
    targets = views[:, 0]
    views = views.requires_grad_()
    (whole,) = torch.autograd.grad(view_search(views, targets, 0.3, 2.0, 1.0).sum(), views)
    (repulsion,) = torch.autograd.grad((2 - spread(views)).mean(1).sum(), views)
    torch.testing.assert_close(whole[0, 0], repulsion[0, 0])


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("distance", ["norm", "cosine"])
@pytest.mark.parametrize(("side", "name"), [("both", "l2"), ("outside", "hinge")])
def test_the_authors_code(shared: Path, distance: str, side: str, name: str, p: int) -> None:
    with np.load(shared / "fixtures/loss_a2_phymhan/io.npz") as arrays:
        recorded = {key: torch.tensor(array) for key, array in arrays.items()}
    anchors, views = (recorded[key].unflatten(0, (3, 8)) for key in ("h_img", "h_gen"))
    views.requires_grad_()
    loss = view_search(views, anchors[:, 0], 0.5, 1.0, 0.5, distance, side, p).mean()
    torch.testing.assert_close(loss, recorded[f"out_search_{distance}_{name}_p{p}"], rtol=2e-5, atol=1e-6)
    torch.testing.assert_close((1 - spread(views, p)).relu().mean(), recorded[f"out_search_reg_p{p}"], rtol=2e-5, atol=1e-6)
    if p == 2:
        (gradient,) = torch.autograd.grad(loss, views)
        torch.testing.assert_close(gradient.flatten(0, 1), recorded[f"out_grad_search_{distance}_{name}_p2"])


def test_half_precision_is_widened() -> None:
    views, targets = embeddings(2, 3, 4).bfloat16(), embeddings(2, 4).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        loss = view_search(views, targets, 0.3, 0.5)
    torch.testing.assert_close(loss, view_search(views.float(), targets.float(), 0.3, 0.5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"views": embeddings(2, 1, 4)}, r"n of at least 2, got \(2, 1, 4\)"),
        ({"targets": embeddings(2, 5)}, r"got \(2, 3, 4\) and \(2, 5\)"),
        ({"distance": "l2"}, "distance is 'l2'; choose norm or cosine"),
        ({"side": "inside"}, "side is 'inside'; choose both or outside"),
        ({"uniformity": 0.0}, "uniformity is 0.0; it must be positive"),
    ],
)
def test_bad_input(change: dict, message: str) -> None:
    given = {"views": embeddings(2, 3, 4), "targets": embeddings(2, 4), "boundary": 0.3, "uniformity": 0.5} | change
    with pytest.raises((ShapeError, OptionError), match=message):
        view_search(**given)
