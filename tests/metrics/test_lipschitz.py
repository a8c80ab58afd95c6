"""Lipschitz constants: exact on linear maps, and those of the whole Jacobian on networks."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from genviews import generators
from genviews.encoders import Encoder
from genviews.errors import DataError, OptionError
from genviews.metrics import jacobian_norms, lipschitz_ratios

RNG = torch.Generator().manual_seed(0)
X = torch.randn(12, 6, generator=RNG, dtype=torch.float64)
W = torch.randn(6, 4, generator=RNG, dtype=torch.float64)


def assert_norms_of_the_whole(f: Callable[[Tensor], Tensor], inputs: Tensor, iterations: int, rtol: float) -> None:
    found = jacobian_norms(f, inputs, iterations, rng=torch.arange(len(inputs)))
    whole = [torch.autograd.functional.jacobian(f, x[None]).reshape(-1, x.numel()) for x in inputs]
    torch.testing.assert_close(found, torch.linalg.matrix_norm(torch.stack(whole), 2), rtol=rtol, atol=0)


def test_a_linear_map_has_its_spectral_norm_everywhere() -> None:
    expected = torch.linalg.matrix_norm(W, 2).expand(12)
    torch.testing.assert_close(jacobian_norms(lambda x: x @ W + 3, X, iterations=200), expected)


def test_each_sample_has_a_jacobian_of_its_own() -> None:
    torch.testing.assert_close(jacobian_norms(torch.sin, X, iterations=500), X.cos().abs().amax(1), rtol=1e-3, atol=0)


def test_a_batch_is_its_samples() -> None:
    f = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    torch.testing.assert_close(jacobian_norms(f, X, rng=torch.arange(12))[:1], jacobian_norms(f, X[:1], rng=torch.arange(1)))


def test_a_constant_map_does_not_stretch() -> None:
    assert jacobian_norms(lambda x: 0 * x, X).tolist() == [0] * 12


def test_of_an_encoder_it_is_that_of_the_whole_jacobian() -> None:
    torch.manual_seed(0)
    encoder = Encoder("conv-small", 1, 8, width=4).eval().double()
    images = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    assert_norms_of_the_whole(encoder, images, iterations=100, rtol=1e-5)


def test_of_a_generator_it_is_that_of_the_whole_jacobian() -> None:
    flow = generators.load("digits-flow")
    z = flow.sample_latents(2, rng=torch.Generator().manual_seed(0))
    assert_norms_of_the_whole(flow, z, iterations=20, rtol=0.02)


def test_an_encoder_of_another_size_resizes_within() -> None:
    encoder = Encoder("conv-small", 1, 16, width=4).eval()
    assert (jacobian_norms(encoder, torch.rand(3, 1, 8, 8)) > 0).all()


def test_a_similarity_has_ratios_of_one() -> None:
    rotation = torch.linalg.qr(torch.randn(8, 6, generator=RNG, dtype=torch.float64)).Q
    ratios = lipschitz_ratios(X, 7 * X @ rotation.T + 1)
    torch.testing.assert_close(ratios, torch.ones(66, dtype=torch.float64))


def test_ratios_are_those_of_the_loop_over_pairs() -> None:
    y = X @ W
    total = [float(points.var(0, correction=0).sum().sqrt()) for points in (X, y)]
    expected = [float((y[i] - y[j]).norm() / (X[i] - X[j]).norm()) for i in range(12) for j in range(i + 1, 12)]
    torch.testing.assert_close(lipschitz_ratios(X, y), torch.tensor(expected, dtype=torch.float64) * total[0] / total[1])


def test_equal_inputs_have_no_ratio() -> None:
    assert len(lipschitz_ratios(torch.tensor([[0.0], [0.0], [1.0]]), torch.tensor([[1.0], [1.0], [2.0]]))) == 2


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(DataError, match="outputs are all one point"):
        lipschitz_ratios(X, torch.ones(12, 3))
    with pytest.raises(DataError, match="there are 12 inputs, 11 outputs"):
        lipschitz_ratios(X, X[1:])
    with pytest.raises(OptionError, match="iterations is 0; it must be positive"):
        jacobian_norms(torch.sin, X, iterations=0)


def test_attention_stretches_as_its_whole_jacobian() -> None:
    x = torch.randn(2, 1, 3, 4, generator=RNG, dtype=torch.float64)

    def f(x: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(x, 2 * x, x)

    assert_norms_of_the_whole(f, x, iterations=100, rtol=1e-3)
