"""Inversion: exact where there is an inverse, else as the original loop finds it, and each image by itself."""

from typing import Any

import pytest
import torch
from reference.inversion import invert_one
from torch import Tensor, nn

import genviews as gv
from genviews import data
from genviews.encoders import Encoder, Perceptual
from genviews.errors import NonFiniteError, OptionError, ShapeError
from genviews.generators import Generator
from genviews.latents import InversionOptions, invert
from genviews.latents.inversion import mean_latent, nearest_start, reconstruction_losses

FLOW = gv.generators.load("digits-flow")


class Dot(nn.Module):
    """A blurred dot: z_0 and z_1 move it, z_2 brightens it."""

    def forward(self, z: Tensor) -> Tensor:
        at = torch.arange(16) - 7.5
        x, y = at - 2 * z[:, 0, None], at - 2 * z[:, 1, None]
        dot = torch.exp(-(x[:, None, :] ** 2 + y[:, :, None] ** 2) / 18)
        return dot[:, None] * (0.6 + 0.1 * z[:, 2, None, None, None])


class Linear(nn.Module):
    """Codes of an encoder that is smooth and wrong."""

    num_features = 3

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 256 * 3).sin().reshape(256, 3) / 8)

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight


@pytest.fixture
def dots() -> Generator:
    return gv.generators.wrap(Dot(), latent_dim=3, image_shape=(1, 16, 16), output_range=(0, 1))


def real_digits(count: int = 20) -> Tensor:
    return data.load("digits").train[torch.arange(count)][0] / 255


def test_a_flow_is_inverted_exactly() -> None:
    found = gv.latents.invert(FLOW, real_digits(100))
    assert found.errors.max() < 1e-10 and found.steps.tolist() == [0] * 100
    torch.testing.assert_close(FLOW(found.latents), real_digits(100), atol=1e-5, rtol=0)


def test_a_vae_gives_its_posterior_mean() -> None:
    torch.manual_seed(0)
    vae = gv.generators.MLPVAE((1, 8, 8), 4, hidden=16).frozen()
    found = invert(vae, real_digits())
    assert torch.equal(found.latents, vae.posterior(real_digits())[0])
    torch.testing.assert_close(found.errors, (vae(found.latents) - real_digits()).square().mean((1, 2, 3)))


def test_its_own_samples_are_found_again(dots: Generator) -> None:
    z = 0.7 * dots.sample_latents(30, rng=torch.arange(30))
    found = invert(dots, dots(z), options=InversionOptions(tolerance=1e-3))
    assert found.errors.max() < 1e-5
    torch.testing.assert_close(found.latents, z, atol=0.02, rtol=0)
    assert 20 <= found.steps.min() < found.steps.max() <= 400


@pytest.mark.parametrize("method", ["optimise", "in-domain"])
def test_an_image_does_not_know_of_the_others(method: Any, dots: Generator) -> None:
    torch.manual_seed(0)
    images = torch.rand(9, 1, 16, 16) * dots(dots.sample_latents(9, rng=torch.arange(9)))
    options = InversionOptions(steps=60, patience=8, tolerance=0.02, batch_size=9)
    given = {"method": method, "encoder": Linear()}
    together = invert(dots, images, options=options, **given)
    apart = [invert(dots, image[None], options=options, **given) for image in images]
    torch.testing.assert_close(together.latents, torch.cat([one.latents for one in apart]), atol=1e-4, rtol=1e-4)
    assert torch.equal(together.steps, torch.cat([one.steps for one in apart])) and together.steps.unique().numel() > 2


def test_in_domain_is_the_original_loop(dots: Generator) -> None:
    images = dots(dots.sample_latents(4, rng=torch.arange(4))) + 0.05
    features = Perceptual("pixels", nn.Flatten(), weight=0.3)
    encoder, options = Linear(), InversionOptions(steps=15, patience=100, lr=0.01)
    found = invert(dots, images, method="in-domain", encoder=encoder, perceptual=features, options=options)
    for image, latent in zip(images.split(1), found.latents, strict=True):
        start = encoder(image).detach()
        last, history = invert_one(dots, image, start, 15, 0.01, encoder, nn.Flatten(), 0.3)
        assert min(history) == history[-1] < history[0]
        torch.testing.assert_close(latent, last[0], atol=1e-5, rtol=1e-4)


def test_the_regulariser_keeps_latents_where_the_encoder_finds_them(dots: Generator) -> None:
    images, encoder = dots(dots.sample_latents(6, rng=torch.arange(6))), Linear()

    def distance(weight: float) -> Tensor:
        options = InversionOptions(steps=100, domain_weight=weight)
        z = invert(dots, images, method="in-domain", encoder=encoder, options=options).latents
        return (z - encoder(dots(z))).square().mean()

    assert distance(2.0) < 0.2 * distance(0.0)


def test_the_start_is_the_nearest_in_pixels(dots: Generator) -> None:
    options = InversionOptions(starts=50)
    images = dots(dots.sample_latents(5, rng=torch.arange(5)))
    start = nearest_start(dots, options)(images)
    assert torch.equal(start, nearest_start(dots, options)(images))
    candidates = torch.cat([mean_latent(dots)[None], start])
    assert mean_latent(dots).abs().max() < 0.1
    for image, chosen in zip(images, start, strict=True):
        errors = (dots(candidates) - image).square().mean((1, 2, 3))
        torch.testing.assert_close((dots(chosen[None]) - image).square().mean(), errors.min())
    best = invert(dots, images, method="optimise", options=InversionOptions(starts=1, steps=1))
    assert (dots(start) - images).square().mean() < best.errors.mean()


def test_reconstruction_losses_have_the_gradient_of_the_equation() -> None:
    torch.manual_seed(0)
    images, rebuilt = torch.rand(2, 3, 4, 4, 4, dtype=torch.float64).unbind()
    body = nn.Sequential(nn.Flatten(), nn.Linear(64, 5, dtype=torch.float64), nn.Tanh())
    features = Perceptual("tanh", body, weight=0.7)
    images, rebuilt = images.reshape(3, 4, 4, 4), rebuilt.reshape(3, 4, 4, 4).requires_grad_()
    losses = reconstruction_losses(rebuilt, images, features, body(images))
    for i in range(3):
        pixels = sum((2 * a - 2 * b) ** 2 for a, b in zip(images[i].flatten(), rebuilt[i].flatten(), strict=True)) / 64
        apart = sum((a - b) ** 2 for a, b in zip(body(images)[i], body(rebuilt)[i], strict=True))
        torch.testing.assert_close(losses[i], pixels + 0.7 * apart)
    assert torch.autograd.gradcheck(lambda x: reconstruction_losses(x, images, features, body(images)), rebuilt)


def test_latents_of_w_are_w() -> None:
    torch.manual_seed(0)
    generator = gv.generators.StyleGAN2((1, 16, 16), latent_dim=5, mapping=(9, 7), channels=(8, 6, 4)).frozen().in_space("w")
    z = generator.sample_latents(3, rng=torch.arange(3))
    found = invert(generator, generator(z), options=InversionOptions(steps=5))
    assert found.latents.shape == (3, 7)


def test_an_encoder_keeps_its_mode(dots: Generator) -> None:
    encoder = Encoder("conv-small", 1, outputs=3).train()
    images = dots(torch.zeros(2, 3))
    first = invert(dots, images, method="encode", encoder=encoder)
    assert encoder.training and all(part.training for part in encoder.modules())
    torch.testing.assert_close(first.latents[:1], invert(dots, images[:1], method="encode", encoder=encoder).latents)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"method": "encode"}, OptionError, "method is 'encode', but Wrapped has no encoder and none is given"),
        ({"method": "in-domain"}, OptionError, "method is 'in-domain', but Wrapped has no encoder and none is given"),
        ({"method": "guess"}, OptionError, "method is 'guess'; choose auto, encode, optimise, in-domain"),
        ({"images": torch.zeros(2, 3, 16, 16)}, ShapeError, r"makes images \(1, 16, 16\), those to invert are \(3, 16, 16\)"),
        ({"images": torch.zeros(2, 1, 16, 16).byte()}, ShapeError, r"images are torch.uint8 \(2, 1, 16, 16\); pass float32"),
        ({"images": torch.zeros(0, 1, 16, 16)}, ShapeError, "with N > 0"),
        ({"encoder": Encoder("conv-small", 1, outputs=5)}, ShapeError, "the encoder has 5 codes, Wrapped latents of 3"),
        ({"generator": FLOW}, ShapeError, r"RealNVP makes images \(1, 8, 8\)"),
    ],
)
def test_what_cannot_be_inverted(change: dict[str, Any], error: type[Exception], message: str, dots: Generator) -> None:
    given = {"generator": dots, "images": torch.zeros(2, 1, 16, 16)} | change
    with pytest.raises(error, match=message):
        invert(given.pop("generator"), given.pop("images"), **given)


def test_generators_that_cannot_be_inverted(dots: Generator) -> None:
    conditional = gv.generators.wrap(Dot(), latent_dim=3, image_shape=(1, 16, 16), num_conditions=4)
    with pytest.raises(OptionError, match="takes a condition; invert in its space w"):
        invert(conditional, torch.zeros(1, 1, 16, 16))
    with pytest.raises(OptionError, match=r"in training mode.*pass generator.frozen\(\)"):
        invert(dots.train(), torch.zeros(1, 1, 16, 16))


def test_images_of_nan_are_told(dots: Generator) -> None:
    images = torch.zeros(3, 1, 16, 16)
    images[1, 0, 2, 2] = torch.nan
    with pytest.raises(NonFiniteError, match="image 1 has no finite latent"):
        invert(dots, images, options=InversionOptions(steps=3))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be positive"),
        ({"tolerance": 1.0}, "tolerance is 1.0; it is a fraction"),
        ({"domain_weight": -1.0}, "domain_weight is -1.0"),
        ({"perceptual_weight": float("nan")}, "perceptual_weight is nan"),
    ],
)
def test_wrong_options(option: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        InversionOptions(**option)
