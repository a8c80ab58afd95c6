"""Augmentations by name: each sample by itself, torchvision's pipelines, gradients, and what is refused."""

from dataclasses import astuple

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from genviews import augmentations
from genviews.augmentations import AffineRanges, Augmentation, Recipe
from genviews.errors import OptionError, ShapeError

NAMES = augmentations.available()
EVERYTHING = Recipe(
    crop=(0.3, 1.0), flip=0.5, affine=AffineRanges(), jitter=(0.4, 0.4, 0.4, 0.1), grayscale=0.2, blur=0.5, solarise=0.3
)


def images(n: int, channels: int = 3, height: int = 24, width: int = 20) -> Tensor:
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(0))


def test_names() -> None:
    assert NAMES == ("simclr", "no-color", "no-crop", "none", "mnist", "weak", "flip", "infomin")


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("recipe", [*augmentations.RECIPES.values(), EVERYTHING], ids=[*NAMES, "everything"])
def test_a_sample_depends_on_its_seed_alone(recipe: Recipe, channels: int, exact: bool) -> None:
    augment, batch = Augmentation(recipe, size=16, exact=exact), images(40, channels)
    seeds = torch.randint(1 << 62, (40,), generator=torch.Generator().manual_seed(1))
    together = augment(batch, seeds)
    assert together.shape == (40, channels, 16, 16)
    apart = torch.cat([augment(part, own) for part, own in zip(batch.split([1, 4, 35]), seeds.split([1, 4, 35]), strict=True)])
    torch.testing.assert_close(apart, together, atol=1e-6, rtol=0)
    torch.testing.assert_close(augment(batch.flip(0), seeds.flip(0)).flip(0), together, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", sorted({*NAMES} - {"none"}))
def test_samples_and_generators_differ(name: str) -> None:
    augment, batch = augmentations.create(name), images(1).expand(32, -1, -1, -1)
    first, again, other = (augment(batch, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(first.unique(dim=0)) > {"no-crop": 16, "flip": 1}.get(name, 24)


@pytest.mark.parametrize("size", [None, 12, (12, 18)])
def test_none_only_resizes(size: int | tuple[int, int] | None) -> None:
    out = augmentations.create("none", size)(images(3), torch.arange(3))
    shape = [24, 20] if size is None else [12, 12] if size == 12 else [12, 18]
    torch.testing.assert_close(out, tv.resize(images(3), shape, antialias=True), atol=1e-6, rtol=0)


def test_shifts_are_shares_of_the_resized_image() -> None:
    affines = augmentations.create("mnist", size=(50, 20)).sample(torch.arange(200), (24, 24)).affines
    assert affines is not None
    assert affines.down.abs().max() == 5
    assert affines.right.abs().max() == 2


def test_exact_is_torchvisions_pipeline_image_by_image() -> None:
    augment = Augmentation(EVERYTHING, size=22, exact=True)
    batch, seeds = images(48), torch.arange(48)
    drawn = augment.sample(seeds, (24, 20))
    assert drawn.crops and drawn.affines and drawn.colors and drawn.blurs is not None and drawn.solarised is not None
    colors = drawn.colors
    adjust = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation, tv.adjust_hue)
    for i, (image, out) in enumerate(zip(batch, augment(batch, seeds), strict=True)):
        box = [*drawn.crops.corners[i].int().tolist(), *drawn.crops.sides[i].int().tolist()]
        image = tv.resized_crop(image, *box, size=[22, 22], antialias=True)
        image = tv.horizontal_flip(image) if drawn.crops.flip[i] else image
        angle, right, down, scale, shear = (float(value[i]) for value in astuple(drawn.affines))
        image = tv.affine(image, angle, [right, down], scale, [shear, 0.0], tv.InterpolationMode.BILINEAR)
        for change in colors.order[i].tolist():
            image = adjust[change](image, float(colors.factors[i, change]))
        image = tv.rgb_to_grayscale(image, 3) if colors.grayscale[i] else image
        image = tv.gaussian_blur(image, [3, 3], [float(drawn.blurs[i])] * 2) if drawn.blurs[i] > 0 else image
        image = tv.solarize(image, 0.5) if drawn.solarised[i] else image
        close = (out - image).abs() < 1e-4  # a pixel within rounding of 0.5 may be inverted on one side only
        assert close.float().mean() > 0.999


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("recipe", [*augmentations.RECIPES.values(), EVERYTHING], ids=[*NAMES, "everything"])
def test_gradient_is_the_finite_difference(recipe: Recipe, exact: bool) -> None:
    augment = Augmentation(recipe, size=5, exact=exact)
    batch = images(8, height=7, width=6).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: augment(x, torch.arange(8)), batch, fast_mode=True)


@pytest.mark.parametrize("exact", [False, True])
def test_gradients_are_finite_on_gray_and_saturated_images(exact: bool) -> None:
    batch = images(16).round()
    batch[:8] = batch[:8, :1]
    batch.requires_grad_()
    augmentations.create("simclr", exact=exact)(batch, torch.arange(16)).square().sum().backward()
    assert batch.grad is not None and batch.grad.isfinite().all() and batch.grad.abs().sum() > 0


def test_autocast_changes_nothing() -> None:
    augment = augmentations.create("infomin")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = augment(images(4), torch.arange(4))
    assert torch.equal(out, augment(images(4), torch.arange(4)))


def test_half_precision_is_widened() -> None:
    batch = images(4).half()
    for name in NAMES:
        augment = augmentations.create(name)
        assert torch.equal(augment(batch, torch.arange(4)), augment(batch.float(), torch.arange(4)))


def test_refusals() -> None:
    with pytest.raises(OptionError, match="'simlcr'; there are simclr, no-color"):
        augmentations.create("simlcr")
    with pytest.raises(OptionError, match=r"size is 0"):
        augmentations.create("simclr", size=0)
    augment = augmentations.create("simclr")
    for bad in (images(2)[0], images(2, channels=2), (255 * images(2)).byte()):
        with pytest.raises(ShapeError, match="give float images"):
            augment(bad)
    with pytest.raises(OptionError, match=r"rng holds torch.int64 \(3,\) for 2 samples"):
        augment(images(2), torch.arange(3))
