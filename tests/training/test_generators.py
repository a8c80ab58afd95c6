"""Training generators: the objectives are their equations, and a few steps improve them."""

import csv
import math
from pathlib import Path

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from genviews import data, generators
from genviews.errors import OptionError
from genviews.generators import BurgessVAE
from genviews.randomness import normal
from genviews.training import GeneratorOptions, train_generator
from genviews.training.generators import ELBO
from genviews.views import RealViews

DIGITS = data.load("digits").train


def column(path: Path, name: str) -> list[float]:
    return [float(row[name]) for row in csv.DictReader(path.open())]


def test_a_flow_learns_the_digits(tmp_path: Path) -> None:
    options = GeneratorOptions(steps=150, couplings=4, hidden=64, levels=17)
    flow = train_generator("realnvp", DIGITS, options, tmp_path)
    bits = column(tmp_path / "metrics.csv", "bits_per_dim")
    assert bits[-1] < bits[0] - 0.3
    assert bits[-1] < math.log2(17)  # better than the uniform distribution over grey levels
    images = DIGITS[torch.arange(8)][0].float() / 255
    again = generators.load(tmp_path)
    torch.testing.assert_close(again.log_prob(images), flow.log_prob(images), rtol=0, atol=0)
    torch.testing.assert_close(again(again.encode(images)), images, atol=1e-4, rtol=0)
    assert not any(p.requires_grad for p in flow.parameters())


def test_the_elbo_is_its_equation() -> None:
    torch.manual_seed(0)
    images = data.load("digits", 32).train
    module = ELBO(BurgessVAE((1, 32, 32), 6), RealViews(images), GeneratorOptions(beta=3.0))
    module.log_dict = lambda *_: None  # type: ignore[method-assign]
    seeds, (pixels, _) = torch.arange(5), images[torch.arange(5)]
    mean, log_variance = module.generator.posterior(pixels.float() / 255)
    posterior = Normal(mean, (log_variance / 2).exp())
    z = mean + posterior.scale * normal(seeds, 6)
    likelihood = Bernoulli(module.generator(z), validate_args=False).log_prob(pixels.float() / 255).flatten(1).sum(1)
    divergence = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    loss = module.training_step(((pixels,), seeds), 0)
    torch.testing.assert_close(loss, (3 * divergence - likelihood).mean(), rtol=1e-5, atol=1e-4)


def test_a_vae_learns_to_reconstruct(tmp_path: Path) -> None:
    images = data.load("digits", 32).train
    vae = train_generator("burgess_vae", images, GeneratorOptions(steps=60, batch_size=64), tmp_path)
    errors = column(tmp_path / "metrics.csv", "reconstruction")
    assert errors[-1] < 0.9 * errors[0]
    assert type(generators.load(tmp_path)) is type(vae)


def test_impossible_families_and_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="family 'stylegan9' is not trained here"):
        train_generator("stylegan9", DIGITS, GeneratorOptions(), tmp_path)
    with pytest.raises(OptionError, match="32 x 32 or 64 x 64"):
        train_generator("burgess_vae", DIGITS, GeneratorOptions(), tmp_path)
