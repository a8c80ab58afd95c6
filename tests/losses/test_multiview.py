"""The loss that assimilates generated views: its definition, and what its forms have in common."""

from typing import Any

import pytest
import torch
from reference import losses as naive
from torch import Tensor

from genviews import losses
from genviews.errors import OptionError, ShapeError

FORMS = ("infonce", "simclr", "full")


def views(generated: int = 3) -> list[Tensor]:
    """Two views of 6 samples and some generated ones, of dimension 5."""
    rows = torch.randn(generated + 2, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return [rows[0].requires_grad_(), rows[1].requires_grad_(), rows[2:].transpose(0, 1).contiguous().requires_grad_()]


@pytest.mark.parametrize("generated", [1, 3])
@pytest.mark.parametrize("form", FORMS)
def test_value_and_gradient_are_those_of_the_definition(form: Any, generated: int) -> None:
    tensors = [x.detach().requires_grad_() for x in views(generated)]
    loss = losses.multiview(*(x.float() for x in tensors), 0.3, 0.7, form)
    expected = naive.multiview(*tensors, 0.3, 0.7, form)
    torch.testing.assert_close(loss, expected.float(), rtol=1e-5, atol=1e-6)
    for found, right in zip(torch.autograd.grad(loss, tensors), torch.autograd.grad(expected, tensors), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-6)


def test_the_default_is_the_papers() -> None:
    torch.testing.assert_close(losses.multiview(*views()), naive.multiview(*views(), 0.5, 0.5, "infonce").float())


@pytest.mark.parametrize("form", ["infonce", "simclr"])
def test_generated_views_are_in_no_denominator(form: Any) -> None:
    """So what a generated view gets is a pull towards the other two alone, whatever the other samples are."""
    first, second, generated = views()
    loss = losses.multiview(first, second, generated, form=form)
    (gradient,) = torch.autograd.grad(loss, generated)
    order = torch.tensor([0, 2, 1, 4, 3, 5])
    alone = generated.detach()[order][:1].expand(6, -1, -1).clone().requires_grad_()
    (again,) = torch.autograd.grad(losses.multiview(first, second, alone, form=form), alone)
    torch.testing.assert_close(again[0], gradient[0])


@pytest.mark.parametrize("form", FORMS)
def test_scale_and_order_do_not_matter_and_it_is_computed_in_float32(form: Any) -> None:
    tensors = [x.detach().float() for x in views()]
    loss = losses.multiview(*tensors, form=form)
    torch.testing.assert_close(losses.multiview(*(x.flip(0) * 3 for x in tensors), form=form), loss)
    torch.testing.assert_close(losses.multiview(*tensors[:2], tensors[2].flip(1), form=form), loss)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(losses.multiview(*tensors, form=form), loss, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("shapes", "options", "error", "message"),
    [
        (((4, 3), (4, 3), (4, 3)), {}, ShapeError, r"\(B, K, D\), got \(4, 3\) and \(4, 3\)"),
        (((4, 3), (4, 3), (4, 0, 3)), {}, ShapeError, r"at least one generated .* \(4, 0, 3\)"),
        (((4, 3), (4, 3), (3, 2, 3)), {}, ShapeError, r"got \(4, 3\) and \(3, 2, 3\)"),
        (((4, 3), (5, 3), (4, 2, 3)), {}, ShapeError, r"\(4, 3\) and \(5, 3\)"),
        (((1, 3), (1, 3), (1, 2, 3)), {}, ShapeError, "batch of 1"),
        (((4, 3), (4, 3), (4, 2, 3)), {"temperature": 0}, OptionError, "temperature is 0; it must be positive"),
        (((4, 3), (4, 3), (4, 2, 3)), {"alpha": -0.5}, OptionError, "alpha is -0.5; it must be positive"),
        (((4, 3), (4, 3), (4, 2, 3)), {"form": "cross"}, OptionError, "form is 'cross'; choose infonce, simclr or full"),
    ],
)
def test_bad_input_is_refused(shapes: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        losses.multiview(*(torch.ones(shape) for shape in shapes), **options)
