"""DiffAugment against a loop over pixels, and what makes it fit for a GAN: linear, unclamped, evenly drawn, each by itself."""

import numpy as np
import pytest
import torch
from torch import Tensor

from genviews.augmentations import DiffAugment
from genviews.randomness import uniform


def images(n: int, channels: int = 3, height: int = 12, width: int = 9) -> Tensor:
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(0))


def naive(image: np.ndarray, draws: np.ndarray, translate: float, cutout: float) -> np.ndarray:
    """Zhao et al.'s policy "color,translation,cutout" on one image (C, H, W), in [-1, 1] as theirs."""
    image = 2 * image - 1 + (draws[0] - 0.5)
    image = (image - image.mean(0)) * (2 * draws[1]) + image.mean(0)
    image = (image - image.mean()) * (draws[2] + 0.5) + image.mean()
    size = np.array(image.shape[1:])
    reach, hole = (size * translate + 0.5).astype(int), (size * cutout + 0.5).astype(int)
    shift = np.floor(draws[3:5] * (2 * reach + 1)) - reach
    centre = np.floor(draws[5:7] * (size + (1 - hole % 2)))
    out = np.zeros_like(image)
    for y in range(size[0]):
        for x in range(size[1]):
            source = np.array([y, x]) - shift
            offset = np.array([y, x]) - centre + hole // 2
            cut = np.all((offset >= 0) & (offset < hole))
            if np.all((source >= 0) & (source < size)) and not cut:
                out[:, y, x] = image[:, int(source[0]), int(source[1])]
    return (out + 1) / 2


@pytest.mark.parametrize(("channels", "translate", "cutout"), [(3, 0.125, 0.5), (1, 0.3, 0.25)])
def test_it_is_the_published_policy_pixel_by_pixel(channels: int, translate: float, cutout: float) -> None:
    batch, seeds = images(24, channels), torch.arange(24)
    out = DiffAugment(translate, cutout)(batch, seeds)
    for image, draws, ours in zip(batch.numpy(), uniform(seeds, 7).numpy(), out.numpy(), strict=True):
        np.testing.assert_allclose(ours, naive(image, draws, translate, cutout), atol=1e-6)


def test_a_sample_depends_on_its_seed_alone() -> None:
    batch, seeds, augment = images(10), torch.arange(10), DiffAugment()
    together = augment(batch, seeds)
    apart = torch.cat([augment(part, own) for part, own in zip(batch.split([1, 9]), seeds.split([1, 9]), strict=True)])
    torch.testing.assert_close(apart, together, atol=1e-6, rtol=0)
    assert len(augment(batch[:1].expand(10, -1, -1, -1), seeds).unique(dim=0)) == 10


def test_gradients_reach_what_is_shown_however_bright() -> None:
    bright = (3 * images(16)).requires_grad_()
    augment, seeds = DiffAugment(cutout=0.0), torch.arange(16)
    (gradient,) = torch.autograd.grad((augment(bright, seeds) * images(16)).sum(), bright)
    assert (gradient != 0).float().mean() > 0.9
    first, second = bright.detach(), images(16)
    mixed = augment(0.3 * first + 0.7 * second, seeds)
    torch.testing.assert_close(mixed, 0.3 * augment(first, seeds) + 0.7 * augment(second, seeds), atol=1e-5, rtol=0)


def test_holes_and_shifts_are_drawn_evenly() -> None:
    n, draws = 4000, uniform(torch.arange(4000), 2)
    augment = DiffAugment(translate=0.25, cutout=0.5)
    shifts = augment.shift(draws[:, 0], 8)[:, 4].argmax(1)  # the pixel that the fifth comes from
    assert shifts.bincount().tolist() == pytest.approx([0, 0, *[n / 5] * 5], abs=4 * (n * 0.16) ** 0.5)
    hidden = augment.hole(draws[:, 1], 8)
    assert sorted(hidden.sum(1).unique().tolist()) == [2, 3, 4]
    starts = (hidden * torch.arange(8)).where(hidden > 0, torch.inf).min(1).values
    assert (starts == 0).float().mean().item() == pytest.approx(3 / 9, abs=0.04)  # centres 0, 1 and 2 of nine
