"""The in-domain encoder: its step is the paper's, each network follows its own loss, it learns, and runs resume."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from genviews import data, encoders, generators
from genviews.encoders import Encoder, Perceptual
from genviews.errors import OptionError, RunError, ShapeError
from genviews.generators import DCGANDiscriminator
from genviews.latents.inversion import mean_latent
from genviews.training.inversion import InversionEncoder, InversionEncoderOptions, train_inversion_encoder
from genviews.views import RealViews

FLOW = generators.load("digits-flow")
DIGITS = data.load("digits").train
SMALL = {"architecture": {"width": 8}, "discriminator": {"width": 4}}
QUICK = InversionEncoderOptions(steps=6, batch_size=8, **SMALL)


class Blobs(nn.Module):
    """Smooth images of 8 x 8 pixels of 3 latents."""

    def forward(self, z: Tensor) -> Tensor:
        at = torch.linspace(-2, 2, 8)
        return torch.exp(-((at - z[:, 0, None])[:, None] ** 2 + (at - z[:, 1, None])[:, :, None] ** 2)) * (
            1 + z[:, 2, None, None] / 4
        )


BLOBS = generators.wrap(Blobs(), latent_dim=3, image_shape=(1, 8, 8), output_range=(0, 1))


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch) -> InversionEncoder:
    monkeypatch.setattr(InversionEncoder, "log", lambda *_: None)
    monkeypatch.setattr(InversionEncoder, "log_dict", lambda *_: None)
    torch.manual_seed(0)
    encoder = Encoder("disco", 1, 8, outputs=3, width=8)
    features = Perceptual("half", nn.Sequential(nn.AvgPool2d(2), nn.Flatten()), weight=0.5)
    return InversionEncoder(BLOBS, encoder, DCGANDiscriminator((1, 8, 8), width=4), RealViews(DIGITS), QUICK, features)


def test_the_step_is_the_paper_s_and_each_network_follows_its_own_loss(learner: InversionEncoder) -> None:
    batch = learner.views[torch.arange(8)], torch.arange(8)
    x = (DIGITS[torch.arange(8)][0] / 255).requires_grad_()
    rebuilt, judge = BLOBS(learner.encoder(x)), learner.discriminator
    halves = F.avg_pool2d(x, 2) - F.avg_pool2d(rebuilt, 2)
    of_e = (2 * x - 2 * rebuilt).square().mean() + 0.5 * halves.square().sum() / 8 + 0.08 * F.softplus(-judge(rebuilt)).mean()
    real, fake = judge(x), judge(rebuilt.detach())
    (slope,) = torch.autograd.grad(real.sum(), x, create_graph=True)
    penalty = slope.square().sum() / 8
    of_d = F.softplus(-real).mean() + F.softplus(fake).mean() + 10 / 2 * penalty
    loss = learner.training_step(batch, 0)
    torch.testing.assert_close(loss, of_e + of_d)
    loss.backward()
    for network, own in ((learner.encoder, of_e), (learner.discriminator, of_d)):
        expected = torch.autograd.grad(own, list(network.parameters()), retain_graph=True)
        for parameter, gradient in zip(network.parameters(), expected, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, atol=1e-6, rtol=1e-4)


def test_without_an_adversary_only_the_encoder_learns(learner: InversionEncoder) -> None:
    learner.options = InversionEncoderOptions(adversarial_weight=0, **SMALL)
    learner.training_step((learner.views[torch.arange(8)], torch.arange(8)), 0).backward()
    assert all(parameter.grad is None for parameter in learner.discriminator.parameters())
    assert all(parameter.grad is not None for parameter in learner.encoder.parameters())


def test_the_optimiser_has_both(learner: InversionEncoder) -> None:
    optimiser = learner.configure_optimizers()
    assert optimiser.defaults["betas"] == (0.9, 0.99)
    assert sum(len(group["params"]) for group in optimiser.param_groups) == sum(
        1 for network in (learner.encoder, learner.discriminator) for _ in network.parameters()
    )


def test_it_learns_to_invert() -> None:
    z = 0.7 * BLOBS.sample_latents(256, rng=torch.arange(256))
    pixels = (BLOBS(z).clamp(0, 1) * 255).round().byte()
    images = data.ArrayImages(pixels, torch.zeros(256, dtype=torch.int64), ("blob",))
    options = InversionEncoderOptions(steps=80, batch_size=16, lr=3e-3, **SMALL)
    encoder = train_inversion_encoder(BLOBS, images, options)
    error = (BLOBS(encoder(pixels / 255)) - pixels / 255).square().mean()
    constant = (BLOBS(torch.zeros(1, 3)) - pixels / 255).square().mean()
    assert error < 0.3 * constant
    assert not encoder.training and not any(parameter.requires_grad for parameter in encoder.parameters())


def test_it_begins_at_the_mean_latent() -> None:
    torch.manual_seed(0)
    generator = generators.StyleGAN2((1, 8, 8), latent_dim=5, mapping=(9, 7), channels=(8, 6)).frozen().in_space("w")
    for name, parameter in generator.generator.mapping.named_parameters():
        if name.endswith("bias"):
            parameter.fill_(100)
    assert mean_latent(generator).mean() > 0.5
    options = InversionEncoderOptions(steps=1, batch_size=8, lr=1e-12, **SMALL)
    encoder = train_inversion_encoder(generator, DIGITS, options)
    torch.testing.assert_close(encoder.backbone[-1].bias, mean_latent(generator))


def test_images_of_odd_sizes_are_judged_at_the_next_power_of_two() -> None:
    torch.manual_seed(0)
    generator = generators.MLPVAE((1, 7, 7), 3, hidden=8).frozen()
    images = data.ArrayImages(torch.randint(0, 256, (16, 1, 7, 7), dtype=torch.uint8), torch.zeros(16, dtype=torch.int64), ("a",))
    encoder = train_inversion_encoder(generator, images, QUICK)
    assert encoder(torch.rand(2, 1, 7, 7)).shape == (2, 3)


class Killed(Exception):
    pass


class Kill(Callback):
    def on_train_batch_end(self, trainer: object, *_: object) -> None:
        if trainer.global_step == 4:  # type: ignore[attr-defined]
            raise Killed


def test_killed_it_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    whole = train_inversion_encoder(FLOW, DIGITS, QUICK, tmp_path / "whole", checkpoint_every=3, log_every=2)
    with pytest.raises(Killed):
        train_inversion_encoder(FLOW, DIGITS, QUICK, tmp_path / "killed", checkpoint_every=3, log_every=2, callbacks=[Kill()])
    assert not (tmp_path / "killed" / "model.json").exists()
    train_inversion_encoder(FLOW, DIGITS, QUICK, tmp_path / "killed", True, checkpoint_every=3, log_every=2)
    for name in ("model.safetensors", "model.json", "metrics.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    again, x = train_inversion_encoder(FLOW, DIGITS, QUICK, tmp_path / "whole", True), DIGITS[torch.arange(3)][0] / 255
    assert torch.equal(again(x), whole(x)) and torch.equal(encoders.load(tmp_path / "killed")(x), whole(x))


def test_an_encoder_of_another_training_is_not_taken_for_this_one(tmp_path: Path) -> None:
    train_inversion_encoder(FLOW, DIGITS, QUICK, tmp_path)
    with pytest.raises(RunError, match=r"holds the encoder of another training \(other options\)"):
        train_inversion_encoder(FLOW, DIGITS, replace(QUICK, seed=1), tmp_path, True)
    other = generators.load("digits-flow")
    next(other.parameters()).data += 1
    with pytest.raises(RunError, match=r"holds the encoder of another training \(other generator\)"):
        train_inversion_encoder(other, DIGITS, QUICK, tmp_path, True)


def test_what_is_refused() -> None:
    with pytest.raises(OptionError, match="lr is 0; it must be positive"):
        InversionEncoderOptions(lr=0)
    with pytest.raises(OptionError, match="adversarial_weight is nan; it must be positive, or 0"):
        InversionEncoderOptions(adversarial_weight=math.nan)
    with pytest.raises(OptionError, match="disco cannot be built so"):
        train_inversion_encoder(FLOW, DIGITS, InversionEncoderOptions(architecture={"wings": 2}))
    with pytest.raises(ShapeError, match=r"RealNVP makes images \(1, 8, 8\), those to invert are \(1, 16, 16\)"):
        train_inversion_encoder(FLOW, DIGITS.resized(16), QUICK)
