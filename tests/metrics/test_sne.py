"""P, Q and their divergence against loops over pairs; the contrastive losses are divergences."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from reference import geometry as naive
from torch import Tensor

from genviews.errors import DataError, OptionError
from genviews.losses import info_nce, student_t_info_nce
from genviews.metrics import sne
from genviews.metrics.sne import Neighbourhoods


def points(n: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X, Y = points(20, 5), points(20, 2, seed=1)


@pytest.mark.parametrize("perplexity", [1.5, 5.0, 17.0])
def test_sne_is_that_of_loops_and_a_root_finder(perplexity: float) -> None:
    found = sne.sne(X, Y, perplexity)
    p, q = naive.sne_p(X.numpy(), perplexity), naive.gaussian_q(Y.numpy())
    np.testing.assert_allclose(found.p, p, atol=1e-9)
    np.testing.assert_allclose(found.q, q, atol=1e-12)
    assert float(found.kl) == pytest.approx(naive.kl(p, q), rel=1e-7)


def test_t_sne_is_symmetric_and_joint() -> None:
    found = sne.t_sne(X, Y, 5.0)
    p = naive.sne_p(X.numpy(), 5.0)
    np.testing.assert_allclose(found.p, (p + p.T) / 40, atol=1e-9)
    np.testing.assert_allclose(found.q, naive.student_q(Y.numpy()), atol=1e-12)
    assert float(found.p.sum()) == pytest.approx(1) and float(found.q.sum()) == pytest.approx(1)


def test_units_of_the_inputs_do_not_matter() -> None:
    torch.testing.assert_close(sne.sne(1e4 * X, Y, 5.0).p, sne.sne(X, Y, 5.0).p)


def test_neighbourhoods_that_agree_do_not_diverge() -> None:
    p = sne.t_sne(X, Y, 5.0).p
    assert float(Neighbourhoods(p, p.log()).kl) == 0


@pytest.mark.parametrize("temperature", [0.05, 0.5, 3.0])
def test_simclr_s_loss_is_the_divergence_and_log_2n(temperature: float) -> None:
    first, second = points(7, 4), points(7, 4, seed=1)
    found = sne.simclr(first, second, temperature)
    assert float(found.p.sum()) == pytest.approx(1) and found.p[0, 7] == found.p[7, 0] == 1 / 14
    torch.testing.assert_close(found.q.sum(1), torch.ones(14, dtype=torch.float64))
    assert float(found.kl) == pytest.approx(float(info_nce(first, second, temperature)) - math.log(14), abs=1e-5)


@pytest.mark.parametrize(("temperature", "df"), [(8.0, 5.0), (0.5, 1.0)])
def test_t_simclr_s_loss_is_the_divergence_of_joint_distributions_and_log_2n(temperature: float, df: float) -> None:
    first, second = points(7, 4), points(7, 4, seed=1)
    found = sne.t_simclr(first, second, temperature, df)
    assert float(found.q.sum()) == pytest.approx(1)
    assert float(found.kl) == pytest.approx(float(student_t_info_nce(first, second, temperature, df)) - math.log(14), abs=1e-5)


@pytest.mark.parametrize(("neighbourhoods", "loss"), [(sne.simclr, info_nce), (sne.t_simclr, student_t_info_nce)])
def test_divergence_and_loss_have_one_gradient(neighbourhoods: Callable, loss: Callable) -> None:
    gradients = []
    for f in (lambda a, b: neighbourhoods(a, b, 0.7).kl, lambda a, b: loss(a, b, 0.7)):
        first = points(6, 3).requires_grad_()
        gradients.append(torch.autograd.grad(f(first, points(6, 3, seed=1)), first)[0])
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("neighbourhoods", [sne.sne, sne.t_sne])
def test_the_gradient_is_that_of_finite_differences(neighbourhoods: Callable) -> None:
    y = points(8, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: neighbourhoods(X[:8], y, 3.0).kl, y)


def test_far_apart_embeddings_have_a_finite_divergence() -> None:
    assert 1e6 < float(sne.sne(X, 1e4 * Y, 5.0).kl) < torch.inf


@pytest.mark.parametrize("perplexity", [0.5, 19.0, 30.0])
def test_a_perplexity_that_the_points_cannot_have_is_refused(perplexity: float) -> None:
    with pytest.raises(OptionError, match=f"perplexity is {perplexity} for 20 points; take one from 1 to below 19"):
        sne.sne(X, Y, perplexity)


def test_points_that_are_not_finite_or_not_paired_are_refused() -> None:
    broken = Y.clone()
    broken[3, 1] = torch.nan
    with pytest.raises(DataError, match="embeddings have a NaN or infinite value in row 3; look at what made them"):
        sne.t_sne(X, broken)
    with pytest.raises(DataError, match="there are 20 first, 19 second; give as many of each"):
        sne.simclr(Y, Y[1:])
    with pytest.raises(OptionError, match="df is 0; it must be positive"):
        sne.t_simclr(Y, Y, df=0)
