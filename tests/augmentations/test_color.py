"""Changes of colour against torchvision, against loops over pixels, and against each other."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from reference import augmentations as reference
from scipy.stats import chisquare, ks_2samp
from torch import Tensor
from torchvision.transforms import ColorJitter
from torchvision.transforms.v2 import functional as tv

from genviews.augmentations.color import COLOR_DRAWS, Colors, recolor, recolor_exact, sample_colors
from genviews.randomness import uniform

Recolor = Callable[[Tensor, Colors], Tensor]

SIMCLR = (0.4, 0.4, 0.4, 0.1)
ADJUST = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation, tv.adjust_hue)


def draw(
    n: int, strength: tuple[float, float, float, float] = SIMCLR, probability: float = 1.0, grayscale: float = 0.2
) -> Colors:
    return sample_colors(uniform(torch.arange(n), COLOR_DRAWS), strength, probability, grayscale)


def images(n: int, channels: int = 3, side: int = 12) -> Tensor:
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("strength", [SIMCLR, (0.8, 0.8, 0.8, 0.5)])
def test_exact_is_torchvisions(strength: tuple[float, float, float, float], channels: int) -> None:
    batch, colors = images(64, channels), draw(64, strength)
    batch[:8] = batch[:8, :1]  # gray pixels have no hue
    batch[8:16] = batch[8:16].round()  # saturated ones sit on the edges of the sextants
    out = recolor_exact(batch, colors)
    for i, expected in enumerate(batch):
        for change in colors.order[i].tolist():
            expected = ADJUST[change](expected, colors.factors[i, change].item())
        if colors.grayscale[i]:
            expected = tv.rgb_to_grayscale(expected, num_output_channels=channels)
        torch.testing.assert_close(out[i], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("function", "exact"), [(recolor, False), (recolor_exact, True)])
def test_is_the_changes_in_order_pixel_by_pixel(function: Recolor, exact: bool) -> None:
    batch, colors = images(24, side=6), draw(24)
    for i, out in enumerate(function(batch, colors).numpy()):
        *scales, turns = colors.factors[i].tolist()
        expected = reference.recolor(
            batch[i].double().numpy(), tuple(scales), turns, colors.order[i].tolist(), bool(colors.grayscale[i]), exact
        )
        np.testing.assert_allclose(out, expected, atol=2e-4 if not exact else 1e-5)


@pytest.mark.parametrize("function", [recolor, recolor_exact])
def test_neutral_changes_change_nothing(function: Recolor) -> None:
    batch = images(16)
    torch.testing.assert_close(function(batch, draw(16, probability=0.0, grayscale=0.0)), batch, atol=2e-6, rtol=0)


def test_one_linear_map_is_exact_but_for_clamps_and_hue() -> None:
    batch = 0.4 + 0.2 * images(64)  # far from the clamps
    colors = draw(64, (0.4, 0.4, 0.4, 0.0))
    torch.testing.assert_close(recolor(batch, colors), recolor_exact(batch, colors), atol=1e-4, rtol=0)


def test_hue_of_the_linear_map_goes_where_the_exact_one_goes() -> None:
    batch, colors = 0.4 + 0.2 * images(64), draw(64, (0.0, 0.0, 0.0, 0.1), grayscale=0.0)
    ours, exact = (function(batch, colors) - batch for function in (recolor, recolor_exact))
    assert torch.cosine_similarity(ours.flatten(1), exact.flatten(1)).min() > 0.6


@pytest.mark.parametrize("turns", [1 / 3, -1 / 3])
def test_hue_turns_red_the_same_way_in_both(turns: float) -> None:
    red = torch.tensor([0.6, 0.4, 0.4])[None, :, None, None].expand(1, 3, 2, 2)
    colors = replace(draw(1, (0.0, 0.0, 0.0, 0.0), grayscale=0.0), factors=torch.tensor([[1.0, 1.0, 1.0, turns]]))
    channel = 1 if turns > 0 else 2
    assert recolor(red, colors).mean((0, 2, 3)).argmax() == channel
    assert recolor_exact(red, colors).mean((0, 2, 3)).argmax() == channel


def test_jitter_is_distributed_as_torchvisions() -> None:
    n, strength = 4000, (0.4, 1.5, 0.8, 0.1)
    factors = draw(n, strength, probability=0.8).factors
    jittered = factors[factors[:, 0] != 1]
    torch.manual_seed(0)
    jitter = ColorJitter(*strength)
    theirs = [jitter.get_params(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)[1:] for _ in range(n)]
    for own, other in zip(jittered.T.numpy(), np.array(theirs).T, strict=True):
        assert ks_2samp(own, other).pvalue > 1e-3


def test_every_order_is_equally_likely() -> None:
    codes = draw(4800).order @ torch.tensor([64, 16, 4, 1])
    counts = codes.unique(return_counts=True)[1]
    assert len(counts) == 24
    assert chisquare(counts.numpy()).pvalue > 1e-3


def test_probabilities() -> None:
    n = 4000
    colors = draw(n, probability=0.8, grayscale=0.2)
    assert abs(colors.factors[:, 0].ne(1).float().mean() - 0.8) < 4 * 0.4 / n**0.5
    assert abs(colors.grayscale.float().mean() - 0.2) < 4 * 0.4 / n**0.5
