"""How well autoencoders reconstruct and generate: each number is what it says, made the plain way."""

import torch
from reference.autoencoders import VQGAN_SIZE
from torch import nn

from genviews import data, metrics
from genviews.encoders import Features
from genviews.evaluation import autoencoding
from genviews.generators import MLPGAN, VAEGAN, VQGAN
from genviews.metrics import codebook_perplexity
from genviews.randomness import normal, sample_seeds, shuffled
from genviews.views import DecodedImages
from genviews.views.store import quantise

DIGITS = data.load("digits")
torch.manual_seed(0)
JUDGE = Features("a linear map", nn.Sequential(nn.Flatten(), nn.Linear(64, 6)), nn.Linear(6, 4)).requires_grad_(False)


def seen(images: torch.Tensor) -> torch.Tensor:
    return JUDGE(images.float() / 255)


def test_the_fids_are_of_reconstructions_and_of_the_aggregate_posterior() -> None:
    torch.manual_seed(1)
    vae = VAEGAN((1, 8, 8), 3, width=4).frozen()
    found = autoencoding(vae, DIGITS, JUDGE, samples=100, seed=2)
    test = DIGITS.test[torch.arange(len(DIGITS.test))][0]
    train = DIGITS.train[shuffled(len(DIGITS.train), 2)[:100]][0]
    mean, log_variance = vae.posterior(train / 255)
    z = mean + (log_variance / 2).exp() * normal(sample_seeds(2, torch.arange(100)), 3)
    expected = {
        "fid": metrics.fid(seen(test), seen(quantise(vae(normal(sample_seeds(2, torch.arange(100)), 3))))),
        "posterior_fid": metrics.fid(seen(test), seen(quantise(vae(z)))),
        "reconstruction_fid": metrics.fid(seen(test), seen(quantise(vae(vae.encode(test / 255))))),
        "reconstruction_fid_train": metrics.fid(seen(train), seen(quantise(vae(mean)))),
    }
    for name, value in expected.items():
        assert abs(getattr(found, name) - value) < 1e-3 * value, name
    assert found.inception_score and found.perplexity is None and len({round(v, 6) for v in expected.values()}) == 4


def test_a_codebooks_perplexity_tells_how_many_codes_are_used() -> None:
    assert abs(codebook_perplexity(torch.arange(12).repeat(5), 40) - 12) < 1e-9
    assert codebook_perplexity(torch.zeros(3, 4).long(), 40) == 1
    torch.manual_seed(0)
    vqgan = VQGAN((1, 8, 8), **VQGAN_SIZE).frozen()
    vqgan.model.quantize.embedding.weight.zero_()  # collapsed
    found = autoencoding(vqgan, DIGITS, JUDGE, samples=20)
    assert found.perplexity == 1 and found.reconstruction_fid is not None


def test_a_generator_without_an_encoder_has_samples_alone() -> None:
    torch.manual_seed(0)
    found = autoencoding(MLPGAN((4, 8, 64), image_shape=(1, 8, 8)).frozen(), DIGITS, JUDGE, samples=20)
    assert found.fid > 0 and found.posterior_fid is found.reconstruction_fid is found.perplexity is None


def test_reconstructions_do_not_depend_on_the_batch_and_leave_the_mode() -> None:
    torch.manual_seed(0)
    vae = VAEGAN((1, 8, 8), 3, width=4).train()
    decoded = DecodedImages(vae, DIGITS.test, seed=0)
    whole = decoded[torch.arange(6)][0]
    assert torch.cat([decoded[torch.tensor([i])][0] for i in range(6)]).float().sub(whole.float()).abs().max() <= 1
    assert vae.training and vae.encoder.training
    assert not DecodedImages(vae, DIGITS.test)[torch.arange(6)][0].equal(whole)
    assert len(decoded) == len(DIGITS.test) and decoded.image_shape == (1, 8, 8) and decoded.labels.equal(DIGITS.test.labels)
