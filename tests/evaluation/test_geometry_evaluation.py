"""The geometry of encoders of which it is known, and of a real one with a generator."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from genviews import data, generators
from genviews.data import ArrayImages
from genviews.encoders import Encoder
from genviews.errors import DataError, OptionError
from genviews.evaluation import GeometryOptions, geometry
from genviews.generators import VQGAN
from genviews.losses import info_nce, student_t_info_nce
from genviews.metrics import alignment, participation_ratio

DIGITS = data.load("digits").test
QUICK = GeometryOptions(samples=40, shown=20, iterations=4, perplexity=5.0, augmentation="none")


def same(found: dict, expected: dict) -> bool:
    return all(np.allclose(value, expected[name], rtol=1e-4, atol=1e-6) for name, value in found.items())


def test_pixels_keep_all_distances() -> None:
    found = geometry(nn.Flatten(), DIGITS, replace(QUICK, gromov_wasserstein=True, restarts=1))
    stretch = found.maps["encoder"]
    np.testing.assert_allclose(stretch.local, 1, rtol=1e-5)
    np.testing.assert_allclose(stretch.ratios, 1, rtol=1e-5)
    assert stretch.gromov_wasserstein == pytest.approx(0, abs=1e-9) and stretch.cai_lim == pytest.approx(0, abs=1e-6)
    assert found.alignment == pytest.approx(0, abs=1e-12)  # no augmentation: both views are the image
    assert list(found.maps) == ["encoder"] and len(stretch.ratios) == 40 * 39 / 2


def test_numbers_are_those_of_the_metrics_and_losses() -> None:
    class Recorded(nn.Flatten):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(super().forward(images))
            return seen[-1]

    seen: list[Tensor] = []
    found = geometry(Recorded(), DIGITS, replace(QUICK, augmentation="mnist", shown=40, batch_size=64))
    first, second, representations = seen[:3]
    assert found.alignment == pytest.approx(alignment(first, second)) and found.alignment > 0
    assert found.participation_ratio == pytest.approx(participation_ratio(representations))
    assert found.losses["SimCLR"] == pytest.approx(float(info_nce(first, second, 0.5)), abs=1e-4)
    assert found.losses["t-SimCLR"] == pytest.approx(float(student_t_info_nce(first, second)), abs=1e-4)
    assert (found.dimensions, found.samples) == (64, 40)


def test_neighbours_of_pixels_are_those_of_pixels_better_than_of_noise() -> None:
    torch.manual_seed(0)
    noise = Encoder("conv-small", 1, 8, width=2)
    kept, lost = (geometry(encoder, DIGITS, QUICK).losses for encoder in (nn.Flatten(), noise))
    assert kept["SNE"] < lost["SNE"] and kept["t-SNE"] < lost["t-SNE"]


def test_a_batch_is_its_samples_and_training_flags_stay() -> None:
    torch.manual_seed(0)
    encoder, flow = Encoder("conv-small", 1, 8, width=2).train(), generators.load("digits-flow")
    options = replace(QUICK, samples=12, shown=12, augmentation="mnist")
    whole, parts = (geometry(encoder, DIGITS, replace(options, batch_size=size), flow) for size in (64, 5))
    assert encoder.training and encoder.backbone.training
    assert list(whole.maps) == ["encoder", "generator"]
    assert same(whole.arrays(), parts.arrays())
    assert whole.numbers()["maps"]["generator"]["gromov_wasserstein"] is None


def test_a_conditional_generator_draws_a_condition_for_each_latent() -> None:
    class Scaled(nn.Module):
        def forward(self, z: Tensor, condition: Tensor) -> Tensor:
            return (1 + condition)[:, None] * z

    generator = generators.wrap(Scaled(), latent_dim=4, image_shape=(1, 2, 2), num_conditions=3)
    local = geometry(nn.Flatten(), DIGITS, QUICK, generator).maps["generator"].local
    scales = np.unique((local / local.min()).round(4))
    assert scales.tolist() == [1, 2, 3]


def test_what_has_no_geometry_is_refused() -> None:
    class Collapsed(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 0 * images.flatten(1) + 1

    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1) * math.nan

    with pytest.raises(OptionError, match="the images of a VQGAN jump as its latents move"):
        geometry(nn.Flatten(), DIGITS, QUICK, VQGAN((1, 8, 8), width=8, multipliers=(1, 1), codes=4, code_dim=4, attention=False))
    with pytest.raises(DataError, match="outputs are all one point"):
        geometry(Collapsed(), DIGITS, QUICK)
    with pytest.raises(DataError, match="outputs have a NaN or infinite value in row 0"):
        geometry(Broken(), DIGITS, QUICK)
    with pytest.raises(DataError, match="there are 1 images; geometry takes two or more"):
        geometry(nn.Flatten(), ArrayImages(DIGITS.images[:1], DIGITS.labels[:1], ()), QUICK)
    with pytest.raises(OptionError, match="perplexity is 50 for 40 points; take one from 1 to below 39"):
        geometry(nn.Flatten(), DIGITS, replace(QUICK, perplexity=50))
    with pytest.raises(OptionError, match="samples is 0; it must be positive"):
        GeometryOptions(samples=0)
