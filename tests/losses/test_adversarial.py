"""Adversarial losses against their definitions by probabilities, and the R1 penalty against a gradient image by image."""

import math

import pytest
import torch
from torch import Tensor, nn

from genviews.errors import OptionError
from genviews.losses import discriminator_loss, generator_loss, r1_penalty

REAL, FAKE = torch.randn(2, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2


def probability(logit: Tensor) -> Tensor:
    return 1 / (1 + math.e**-logit)


def naive(real: Tensor, fake: Tensor, form: str) -> tuple[Tensor, Tensor]:
    """The losses of D and of G, sample by sample."""
    if form == "hinge":
        judged = [max(0 * x, 1 - x) for x in real] + [max(0 * x, 1 + x) for x in fake]
        return sum(judged) / len(real), -sum(fake) / len(fake)
    judged = [-torch.log(probability(x)) for x in real] + [-torch.log(1 - probability(x)) for x in fake]
    return sum(judged) / len(real), sum(-torch.log(probability(x)) for x in fake) / len(fake)


@pytest.mark.parametrize("form", ["nonsaturating", "hinge"])
def test_values_and_gradients_are_those_of_the_definitions(form: str) -> None:
    logits = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    for ours, theirs in zip(
        (discriminator_loss(*logits, form), generator_loss(logits[1], form)), naive(*logits, form), strict=True
    ):
        torch.testing.assert_close(ours, theirs.float(), rtol=1e-5, atol=1e-6)
        gradients = [torch.autograd.grad(loss, logits, allow_unused=True, materialize_grads=True) for loss in (ours, theirs)]
        torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)


def test_a_generator_that_is_seen_through_still_learns() -> None:
    fake = torch.tensor([-60.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(generator_loss(fake), fake)
    assert gradient == pytest.approx(-1.0)
    assert discriminator_loss(torch.tensor([200.0]), torch.tensor([-200.0])) == 0


def test_half_precision_is_widened() -> None:
    assert generator_loss(FAKE.bfloat16()).dtype == discriminator_loss(REAL.half(), FAKE.half()).dtype == torch.float32


def test_r1_is_the_squared_gradient_image_by_image_and_reaches_the_weights() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 1)).double()
    images = torch.rand(5, 2, 4, 4, dtype=torch.float64, requires_grad=True)

    def naive_penalty() -> Tensor:
        norms = []
        for image in images.detach():
            jacobian = torch.autograd.functional.jacobian(lambda x: network(x[None])[0, 0], image, create_graph=True)
            norms.append((jacobian**2).sum())
        return sum(norms) / len(images)

    penalty, expected = r1_penalty(network(images)[:, 0], images), naive_penalty()
    torch.testing.assert_close(penalty, expected.float())
    weights = [network[0].weight, network[3].weight]
    torch.testing.assert_close(*(torch.autograd.grad(loss, weights) for loss in (penalty, expected)))


def test_unknown_losses_are_refused() -> None:
    with pytest.raises(OptionError, match="loss is 'wasserstein'; choose nonsaturating or hinge"):
        generator_loss(FAKE, "wasserstein")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="'wasserstein'"):
        discriminator_loss(REAL, FAKE, "wasserstein")  # type: ignore[arg-type]
