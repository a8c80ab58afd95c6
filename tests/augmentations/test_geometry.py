"""Crops, mirror images and affine maps against torchvision and against loops over pixels."""

from dataclasses import astuple

import numpy as np
import pytest
import torch
from reference import augmentations as reference
from scipy.stats import ks_2samp
from torch import Tensor
from torchvision.transforms import RandomAffine, RandomResizedCrop
from torchvision.transforms.v2 import functional as tv

from genviews.augmentations.geometry import (
    AFFINE_DRAWS,
    CROP_DRAWS,
    AffineRanges,
    Affines,
    Crops,
    affine,
    resized_crop,
    sample_affines,
    sample_crops,
)
from genviews.randomness import uniform

RATIO = (3 / 4, 4 / 3)


def draw_crops(n: int, shape: tuple[int, int], area: tuple[float, float] | None = (0.2, 1.0), flip: float = 0.5) -> Crops:
    return sample_crops(uniform(torch.arange(n), CROP_DRAWS), shape, area, RATIO, flip)


def boxes(crops: Crops) -> list[list[int]]:
    """(top, left, height, width) of each."""
    return torch.cat([crops.corners, crops.sides], dim=1).int().tolist()


def draw_affines(n: int, shape: tuple[int, int], **ranges: float | tuple[float, float]) -> Affines:
    return sample_affines(uniform(torch.arange(n), AFFINE_DRAWS), shape, AffineRanges(**ranges))


def images(n: int, channels: int, height: int, width: int) -> Tensor:
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(0))


def torchvision_affine(image: Tensor, angle: float, right: float, down: float, scale: float, shear: float) -> Tensor:
    return tv.affine(image, angle, [right, down], scale, [shear, 0.0], tv.InterpolationMode.BILINEAR)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 24), (17, 40), (8, 5), (50, 60)])
def test_resized_crop_is_torchvisions(size: tuple[int, int], channels: int) -> None:
    batch, crops = images(32, channels, 32, 24), draw_crops(32, (32, 24))
    out = resized_crop(batch, crops, size)
    for i, box in enumerate(boxes(crops)):
        expected = tv.resized_crop(batch[i], *box, size=list(size), antialias=True)
        torch.testing.assert_close(out[i], tv.horizontal_flip(expected) if crops.flip[i] else expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("size", [(4, 6), (11, 9)])
def test_resized_crop_is_the_sum_over_pixels(size: tuple[int, int]) -> None:
    batch, crops = images(6, 3, 8, 9), draw_crops(6, (8, 9))
    out = resized_crop(batch, crops, size)
    for i, box in enumerate(boxes(crops)):
        expected = reference.resized_crop(batch[i].numpy(), box, bool(crops.flip[i]), size)
        np.testing.assert_allclose(out[i].numpy(), expected, atol=2e-6)


def test_without_a_crop_only_mirror_images() -> None:
    batch, crops = images(16, 3, 10, 7), draw_crops(16, (10, 7), area=None)
    flip = crops.flip[:, None, None, None]
    assert 0 < flip.sum() < 16
    assert torch.equal(resized_crop(batch, crops, (10, 7)), torch.where(flip, batch.flip(3), batch))


@pytest.mark.parametrize("shape", [(32, 32), (40, 24)])
def test_crops_are_distributed_as_torchvisions(shape: tuple[int, int]) -> None:
    n = 4000
    ours = draw_crops(n, shape)
    torch.manual_seed(0)
    image = torch.empty(3, *shape)
    theirs = np.array([RandomResizedCrop.get_params(image, [0.2, 1.0], list(RATIO)) for _ in range(n)]).T
    for statistic in (
        lambda top, left, height, width: top / np.maximum(shape[0] - height, 1),
        lambda top, left, height, width: left / np.maximum(shape[1] - width, 1),
        lambda top, left, height, width: height * width,
        lambda top, left, height, width: width / height,
    ):
        assert ks_2samp(statistic(*np.array(boxes(ours)).T), statistic(*theirs)).pvalue > 1e-3
    assert abs(ours.flip.float().mean() - 0.5) < 4 * 0.5 / n**0.5


def test_crops_stay_inside() -> None:
    crops = draw_crops(5000, (9, 13), area=(0.01, 1.0))
    assert crops.sides.min() == 1
    assert crops.corners.min(0).values.tolist() == [0, 0]
    assert (crops.corners + crops.sides).max(0).values.tolist() == [9, 13]


@pytest.mark.parametrize(("shape", "box"), [((8, 80), (0, 34, 8, 11)), ((80, 8), (34, 0, 11, 8))])
def test_where_no_crop_fits_the_largest_central_one(shape: tuple[int, int], box: tuple[int, int, int, int]) -> None:
    assert RandomResizedCrop.get_params(torch.empty(3, *shape), [0.9, 1.0], list(RATIO)) == box
    assert boxes(draw_crops(20, shape, area=(0.9, 1.0))) == [list(box)] * 20


@pytest.mark.parametrize("shape", [(28, 28), (16, 30)])
def test_affine_is_torchvisions(shape: tuple[int, int]) -> None:
    batch, affines = images(32, 1, *shape), draw_affines(32, shape)
    out = affine(batch, affines)
    for image, moved, row in zip(batch, out, torch.stack(astuple(affines), 1).tolist(), strict=True):
        torch.testing.assert_close(moved, torchvision_affine(image, *row), atol=2e-5, rtol=0)


def test_affine_is_the_inverse_map_of_each_pixel() -> None:
    batch, affines = (
        images(8, 3, 9, 12),
        draw_affines(8, (9, 12), degrees=40, translate=0.3, scale=(0.5, 2), shear=30),
    )
    out = affine(batch, affines)
    for image, moved, (angle, right, down, scale, shear) in zip(
        batch, out, torch.stack(astuple(affines), 1).tolist(), strict=True
    ):
        expected = reference.affine(image.numpy(), angle, (right, down), scale, shear)
        np.testing.assert_allclose(moved.numpy(), expected, atol=2e-5)


def test_affines_are_distributed_as_torchvisions() -> None:
    n = 4000
    ours = draw_affines(n, (28, 40))
    torch.manual_seed(0)
    drawn = [RandomAffine.get_params([-15.0, 15.0], [0.1, 0.1], [0.8, 1.2], [-10.0, 10.0], [40, 28]) for _ in range(n)]
    theirs = [(angle, right, down, scale, shear) for angle, (right, down), scale, (shear, _) in drawn]
    for own, other in zip(astuple(ours), np.array(theirs).T, strict=True):
        assert ks_2samp(own.numpy(), other).pvalue > 1e-3
