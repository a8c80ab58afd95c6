"""Blur and solarisation against torchvision and against a loop over pixels."""

import numpy as np
import pytest
import torch
from reference import augmentations as reference
from scipy.stats import kstest
from torchvision.transforms.v2 import functional as tv

from genviews.augmentations.filters import BLUR_DRAWS, blur, sample_blurs, solarise
from genviews.randomness import uniform

SIGMAS = torch.tensor([0.1, 0.5, 1.3, 2.0])


@pytest.mark.parametrize(("side", "width"), [(32, 3), (64, 7)])
def test_blur_is_torchvisions(side: int, width: int) -> None:
    batch = torch.rand(4, 3, side, side, generator=torch.Generator().manual_seed(0))
    for image, out, sigma in zip(batch, blur(batch, SIGMAS), SIGMAS.tolist(), strict=True):
        torch.testing.assert_close(out, tv.gaussian_blur(image, [width, width], [sigma, sigma]), atol=1e-6, rtol=0)


def test_blur_is_the_gaussian_mean_of_the_neighbours() -> None:
    batch = torch.rand(4, 1, 40, 45, generator=torch.Generator().manual_seed(0))
    for image, out, sigma in zip(batch, blur(batch, SIGMAS), SIGMAS.tolist(), strict=True):
        np.testing.assert_allclose(out.numpy(), reference.blur(image.numpy(), sigma, radius=2), atol=1e-6)


def test_no_blur_is_exactly_none() -> None:
    batch = torch.rand(4, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    assert torch.equal(blur(batch, torch.zeros(4)), batch)


def test_blurs_are_drawn_with_their_probability_and_range() -> None:
    n = 4000
    sigmas = sample_blurs(uniform(torch.arange(n), BLUR_DRAWS), 0.3, (0.1, 2.0))
    drawn = sigmas[sigmas > 0]
    assert abs(len(drawn) / n - 0.3) < 4 * (0.3 * 0.7 / n) ** 0.5
    assert kstest(drawn.numpy(), "uniform", (0.1, 1.9)).pvalue > 1e-3


def test_solarise_is_torchvisions() -> None:
    batch = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    out = solarise(batch, torch.tensor([True, False, True, False]))
    assert torch.equal(out[::2], tv.solarize(batch[::2], threshold=0.5))
    assert torch.equal(out[1::2], batch[1::2])
