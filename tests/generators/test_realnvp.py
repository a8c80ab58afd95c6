import math

import pytest
import torch

from genviews.errors import OptionError, ShapeError
from genviews.generators import RealNVP


@pytest.fixture(params=[(1, 4, 4), (3, 3, 3)], ids=str)
def flow(request: pytest.FixtureRequest) -> RealNVP:
    """A flow whose couplings are not the identity, in float64."""
    flow = RealNVP(request.param, steps=4, hidden=16, levels=17, seed=3).double().eval()
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=rng)
    return flow


def images_like(flow: RealNVP, n: int) -> torch.Tensor:
    return torch.rand((n, *flow.image_shape), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_generate_inverts_encode(flow: RealNVP) -> None:
    images = images_like(flow, 8)
    torch.testing.assert_close(flow(flow.encode(images)), images, rtol=0, atol=1e-9)
    flow = flow.float()
    latents = 0.3 * flow.sample_latents(64, rng=torch.Generator().manual_seed(2))  # a random flow saturates further out
    torch.testing.assert_close(flow(flow.encode(images.float())), images.float(), rtol=0, atol=1e-4)
    torch.testing.assert_close(flow.encode(flow(latents)), latents, rtol=1e-3, atol=1e-3)


def test_log_prob_is_the_change_of_variables_of_the_jacobian(flow: RealNVP) -> None:
    images = images_like(flow, 3)
    for image, log_prob in zip(images, flow.log_prob(images), strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: flow.encode(x[None])[0], image).reshape(flow.latent_dim, -1)
        prior = torch.distributions.Normal(0, 1).log_prob(flow.encode(image[None])[0]).sum()
        torch.testing.assert_close(log_prob, prior + torch.linalg.slogdet(jacobian).logabsdet)


def test_every_pixel_depends_on_every_latent(flow: RealNVP) -> None:
    latents = flow.sample_latents(1, rng=torch.Generator().manual_seed(0)).double()
    jacobian = torch.autograd.functional.jacobian(lambda z: flow(z).flatten(), latents)
    assert (jacobian != 0).all()


def test_probabilities_of_grey_values_sum_to_at_most_one() -> None:
    flow = RealNVP((1, 1, 2), steps=4, hidden=8, levels=3).double().eval()
    grid = torch.cartesian_prod(*[torch.arange(3.0, dtype=torch.float64) / 2] * 2).reshape(9, 1, 1, 2)
    seeds = torch.arange(400)
    bounds = [flow.log_prob(flow.dequantise(image.expand(400, 1, 1, 2), seeds)).mean() - 2 * math.log(2) for image in grid]
    total = torch.stack(bounds).exp().sum()
    assert 0.3 < total < 1


def test_dequantised_images_stay_in_their_bin_and_belong_to_their_seed() -> None:
    flow = RealNVP((1, 4, 4), levels=17)
    images, seeds = torch.arange(16.0).reshape(1, 1, 4, 4).repeat(5, 1, 1, 1) / 16, torch.arange(5)
    noisy = flow.dequantise(images, seeds)
    assert torch.equal((noisy * 16).round(), images * 16)
    assert noisy.unique().numel() > 70
    assert torch.equal(flow.dequantise(images[3:], seeds[3:]), noisy[3:])
    assert flow.encode(noisy).isfinite().all()


def test_initialise_makes_latents_of_unit_variance() -> None:
    flow = RealNVP((1, 4, 4), levels=17)
    images = 0.2 * torch.rand((500, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    flow.initialise(images)
    std, mean = torch.std_mean(flow.encode(images), dim=0)
    torch.testing.assert_close(std, torch.ones(16), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(mean, torch.zeros(16), rtol=0, atol=1e-3)


def test_forward_derivative_along_a_latent_direction(flow: RealNVP) -> None:
    latents = flow.sample_latents(2, rng=torch.Generator().manual_seed(0)).double()
    direction = torch.ones_like(latents)
    _, derivative = torch.func.jvp(flow, (latents,), (direction,))
    finite = (flow(latents + 1e-6 * direction) - flow(latents - 1e-6 * direction)) / 2e-6
    torch.testing.assert_close(derivative, finite, rtol=1e-5, atol=1e-7)


def test_options_that_make_no_flow_are_refused() -> None:
    for options in ({"steps": 3}, {"levels": 1}):
        with pytest.raises(OptionError, match="couplings come in pairs"):
            RealNVP((1, 4, 4), **options)


def test_images_of_another_shape_are_refused(flow: RealNVP) -> None:
    with pytest.raises(ShapeError, match="takes images"):
        flow.encode(torch.rand(2, 1, 5, 5))
