from typing import Any

import pytest
import torch
from torch import nn
from torch.func import functional_call

from genviews.errors import OptionError
from genviews.generators.discriminators import DCGANDiscriminator, ProjectionDiscriminator, SNGANDiscriminator

Kind = type[SNGANDiscriminator] | type[DCGANDiscriminator]
kinds = pytest.mark.parametrize("kind", [SNGANDiscriminator, DCGANDiscriminator])


@kinds
@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 64, 64), (2, 8, 8)])
def test_logits_and_features_of_images(kind: Kind, shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    judge = kind(shape, width=4).eval()
    images = torch.rand(5, *shape)
    features = judge.features(images)
    assert features.shape == (5, judge.num_features) and features.std(dim=0).max() > 0
    torch.testing.assert_close(judge(images), judge.head(features)[:, 0])
    with pytest.raises(OptionError, match="square, of 8, 16, 32, 64"):
        kind((1, 28, 28))


@kinds
def test_the_gradient_penalty_has_a_gradient(kind: Kind) -> None:
    torch.manual_seed(0)
    judge = kind((1, 16, 16), width=4).double().eval()  # in training the spectral norms' estimates would move between calls
    images = torch.rand(4, 1, 16, 16, dtype=torch.float64, requires_grad=True)

    def penalty(weights: dict[str, torch.Tensor]) -> torch.Tensor:
        (gradient,) = torch.autograd.grad(functional_call(judge, weights, (images,)).sum(), images, create_graph=True)
        return gradient.square().sum(dim=(1, 2, 3)).mean()

    weights = {name: weight.detach().requires_grad_() for name, weight in judge.named_parameters()}
    name = next(name for name, weight in weights.items() if weight.ndim == 4)
    direction = torch.randn_like(weights[name])
    (slope,) = torch.autograd.grad(penalty(weights), weights[name])
    step = 1e-6
    ahead, behind = (penalty(weights | {name: weights[name] + sign * step * direction}).item() for sign in (1, -1))
    assert (slope * direction).sum().item() == pytest.approx((ahead - behind) / (2 * step), rel=1e-3)


@kinds
def test_it_learns_to_tell_noise_from_stripes(kind: Kind) -> None:
    torch.manual_seed(0)
    judge = kind((1, 16, 16), width=4).train()
    optimizer = torch.optim.Adam(judge.parameters(), 2e-3, betas=(0.5, 0.99))
    stripes = torch.linspace(0, 6, 16).sin().expand(32, 1, 16, 16) / 2 + 0.5
    for _ in range(40):
        real, fake = judge((stripes + 0.1 * torch.randn(32, 1, 16, 16)).clamp(0, 1)), judge(torch.rand(32, 1, 16, 16))
        loss = nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert real.mean() > 0 > fake.mean() and loss < 0.8


def test_the_spectral_norms_are_one() -> None:
    judge = SNGANDiscriminator((3, 16, 16), width=4).train()
    for _ in range(100):
        judge(torch.rand(2, 3, 16, 16))
    layers = [layer for layer in judge.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) == 2 * 3 + 2 + 1
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_only_the_batch_changes_what_dcgan_s_keeps() -> None:
    judge = DCGANDiscriminator((1, 16, 16), width=4)
    assert not list(judge.buffers())


@pytest.mark.parametrize("instances", [None, torch.randn(6, 3)], ids=["classes", "instances"])
def test_projection_adds_how_well_the_features_fit_the_condition(instances: torch.Tensor | None) -> None:
    torch.manual_seed(0)
    judge: Any = ProjectionDiscriminator((2, 16, 16), 6 if instances is None else instances, width=4).eval()
    images, condition = torch.rand(5, 2, 16, 16), torch.tensor([3, 0, 5, 3, 1])
    maps = judge.body[:-2](2 * images - 1)
    expected = []
    for i, y in enumerate(condition.tolist()):
        features = torch.stack([sum(channel.flatten()) / 16 for channel in maps[i]])
        vector = judge.embedding.weight[y] if instances is None else judge.embedding[1].weight @ instances[y]
        expected.append(sum(judge.head.weight[0] * features) + judge.head.bias[0] + sum(vector * features))
    torch.testing.assert_close(judge(images, condition), torch.stack(expected), rtol=1e-4, atol=1e-5)
    assert (judge(images, condition) - judge(images, condition.roll(1))).abs().max() > 1e-3


def test_an_instance_s_features_are_not_learned() -> None:
    judge = ProjectionDiscriminator((1, 8, 8), torch.randn(6, 3), width=4)
    judge(torch.rand(2, 1, 8, 8), torch.tensor([0, 4])).sum().backward()
    assert [name for name, weight in judge.named_parameters() if weight.grad is None] == ["embedding.0.weight"]
