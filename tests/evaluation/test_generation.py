from dataclasses import asdict

import pytest
import torch
from torch import nn

from genviews import data, generators, metrics
from genviews.data import extract
from genviews.encoders import Features
from genviews.errors import DataError, NonFiniteError, OptionError, ShapeError
from genviews.evaluation import Generation, generation
from genviews.generators import BurgessVAE, wrap
from genviews.randomness import sample_seeds
from genviews.views import GeneratedImages

DIGITS = data.load("digits")
FLOW = generators.load("digits-flow")
TEST = DIGITS.test.images.float() / 255
torch.manual_seed(0)
HEAD = nn.Linear(64, 10)
PIXELS = Features("pixels", nn.Flatten(), HEAD)
AVERAGES = Features("averages", nn.Sequential(nn.AvgPool2d(8), nn.Flatten()))


@pytest.fixture(scope="module")
def result() -> Generation:
    return generation(FLOW, DIGITS, PIXELS, samples=300, seed=5)


def test_every_number_is_its_metric(result: Generation) -> None:
    real = TEST.flatten(1)
    generated, _ = extract(PIXELS, GeneratedImages(FLOW, 300, 5), progress=False)
    assert result.fid == pytest.approx(metrics.fid(real, generated))
    assert (result.precision, result.recall) == metrics.precision_recall(real, generated)
    score = metrics.inception_score(HEAD(generated).detach())
    assert result.inception_score is not None and result.inception_score.mean == pytest.approx(score.mean)
    assert (result.samples, result.images, result.features) == (300, 360, "pixels")

    bits = FLOW.bits_per_dim(TEST, sample_seeds(5, torch.arange(360)))
    assert result.bits_per_dim is not None
    assert result.bits_per_dim.mean == pytest.approx(float(bits.mean()), rel=1e-5)
    assert result.bits_per_dim.error == pytest.approx(float(bits.std()) / 360**0.5, rel=1e-4)
    assert result.reconstruction_error is not None and 0 < result.reconstruction_error.mean < 1e-9


def test_the_trained_flow_beats_noise_and_its_training_set_beats_it(result: Generation) -> None:
    training_set = metrics.fid(TEST.flatten(1), DIGITS.train.images.flatten(1) / 255)
    noise = wrap(nn.Sigmoid(), latent_dim=64, image_shape=(1, 8, 8), output_range=(0, 1))
    assert training_set < result.fid < generation(noise, DIGITS, PIXELS, samples=300).fid


@pytest.mark.parametrize("batch_size", [7, 300])
def test_the_batch_size_does_not_matter(batch_size: int, result: Generation) -> None:
    again = generation(FLOW, DIGITS, PIXELS, samples=300, seed=5, batch_size=batch_size)
    assert again.fid == pytest.approx(result.fid, rel=1e-3)
    assert (again.precision, again.recall) == pytest.approx((result.precision, result.recall), abs=5e-3)
    assert asdict(again)["inception_score"] == pytest.approx(asdict(result)["inception_score"], rel=1e-2)
    assert asdict(again)["bits_per_dim"] == pytest.approx(asdict(result)["bits_per_dim"], rel=1e-5)


def test_seed_and_truncation_choose_the_samples(result: Generation) -> None:
    other = generation(FLOW, DIGITS, PIXELS, samples=300, seed=6)
    typical = generation(FLOW, DIGITS, PIXELS, samples=300, seed=5, truncation=0.5)
    assert len({result.fid, other.fid, typical.fid}) == 3
    assert typical.recall < result.recall and typical.truncation == 0.5


def test_what_a_generator_or_features_lack_is_none() -> None:
    fixed = wrap(nn.Linear(4, 64), latent_dim=4, image_shape=(1, 8, 8))
    found = generation(fixed, DIGITS, Features("pixels", nn.Flatten()), samples=50)
    assert found.inception_score is found.bits_per_dim is found.reconstruction_error is None


def test_a_vae_reconstructs_by_its_posterior_mean() -> None:
    torch.manual_seed(1)
    vae = BurgessVAE((1, 32, 32), 4).train()
    digits = data.load("digits", 32)
    found = generation(vae, digits, AVERAGES, samples=40)
    images = digits.test.images.float() / 255
    with torch.no_grad():
        errors = (vae.eval()(vae.posterior(images)[0]) - images).square().mean((1, 2, 3))
    assert found.reconstruction_error is not None and found.bits_per_dim is None
    assert found.reconstruction_error.mean == pytest.approx(float(errors.mean()), rel=1e-5)
    assert found.reconstruction_error.error == pytest.approx(float(errors.std()) / 360**0.5, rel=1e-4)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"data are \(1, 16, 16\), .* \(1, 8, 8\); load the data with image_size=8"):
        generation(FLOW, data.load("digits", 16), PIXELS)
    with pytest.raises(OptionError, match="samples is 0"):
        generation(FLOW, DIGITS, PIXELS, samples=0)
    with pytest.raises(DataError, match="3 samples do not have 3 neighbours"):
        generation(FLOW, DIGITS, PIXELS, samples=3)
    with pytest.raises(DataError, match="5 samples cannot be split"):
        generation(FLOW, DIGITS, PIXELS, samples=5)


def test_a_likelihood_that_is_not_finite_is_named() -> None:
    broken = generators.load("digits-flow")
    broken.log_prob = lambda images: torch.where(torch.arange(len(images)) == 7, -torch.inf, 0.0)
    with pytest.raises(NonFiniteError, match="bits_per_dim of test image 7 is inf"):
        generation(broken, DIGITS, PIXELS, samples=100)
