"""Training GANs: each network follows its own loss alone, the options do what they say, and a run is a function of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from reference.discriminators import TinyDiscriminator
from reference.processes import Farewell, tiny_gan
from reference.weights import weights
from torch import Tensor, nn

from genviews import augmentations, data
from genviews.augmentations import DiffAugment
from genviews.errors import OptionError
from genviews.generators import MLPGAN
from genviews.losses import discriminator_loss, generator_loss, r1_penalty
from genviews.randomness import derive
from genviews.training.fit import fit
from genviews.training.gans import GAN, GANOptions
from genviews.training.generator_learner import GeneratorOptions
from genviews.views import RealViews

VIEWS = RealViews(data.load("digits").train)
SEEDS = torch.arange(24)
REAL = VIEWS(*VIEWS[SEEDS])[0]


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the step a module without a trainer is at; what it logs goes nowhere."""
    monkeypatch.setattr(GAN, "log_dict", lambda *_: None)
    monkeypatch.setattr(GAN, "log", lambda *_: None)
    return lambda step: monkeypatch.setattr(GAN, "global_step", property(lambda _: step))


def gan(kind: str = "plain", ema: float = 0.0, **options: Any) -> GAN:
    torch.manual_seed(0)
    shared = GeneratorOptions(lr=2e-3, betas=(0.0, 0.99), weight_decay=0.0, schedule="constant", ema=ema)
    given = GANOptions(**{"r1": 0.0, **options})
    return GAN(MLPGAN((8, 32, 64)), TinyDiscriminator((1, 8, 8), kind), VIEWS, shared, given)


def gradients(loss: Tensor, network: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(network.parameters()), retain_graph=True))


@pytest.mark.parametrize("loss", ["nonsaturating", "hinge"])
@pytest.mark.parametrize("kind", ["plain", "spectral", "batch"])
def test_each_network_has_the_gradient_of_its_own_loss(kind: str, loss: str, at_step: Callable[[int], None]) -> None:
    at_step(0)
    module, alone = gan(kind, loss=loss, r1=3.0), gan(kind, loss=loss, r1=3.0)
    total = module.training_step((VIEWS[SEEDS], SEEDS), 0)

    network, real = alone.discriminator, REAL.clone().requires_grad_()
    fake = alone.generator(alone.generator.sample_latents(24, rng=SEEDS))
    real_score, fake_score = network(real), network(fake.detach())
    penalised = discriminator_loss(real_score, fake_score, loss) + 3 / 2 * 16 * r1_penalty(real_score, real)
    torch.testing.assert_close(gradients(total, module.discriminator), gradients(penalised, network), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(dict(module.discriminator.named_buffers()), dict(network.named_buffers()), rtol=0, atol=0)
    own = gradients(generator_loss(network(fake), loss), alone.generator)
    torch.testing.assert_close(gradients(total, module.generator), own, rtol=0, atol=0)


def test_the_lazy_penalty_weighs_what_one_at_every_step_does(at_step: Callable[[int], None]) -> None:
    def mean_gradient(r1: float, every: int) -> Tensor:
        module, total = gan(r1=r1, r1_every=every), 0.0
        for step in range(12):
            at_step(step)
            gradient = gradients(module.training_step((VIEWS[SEEDS], SEEDS), 0), module.discriminator)
            total += torch.cat([part.flatten() for part in gradient]) / 12
        return total

    without, always, lazy = mean_gradient(0.0, 1), mean_gradient(2.0, 1), mean_gradient(2.0, 4)
    assert (always - without).norm() > 1e-3
    torch.testing.assert_close(lazy, always, rtol=1e-4, atol=1e-6)


def test_diff_shows_both_kinds_of_image_through_the_same_policy(at_step: Callable[[int], None]) -> None:
    module = gan(augment="diff")
    fake = REAL.flip(0).clone().requires_grad_()
    shown_real, shown_fake = module.augmented(REAL, fake, SEEDS)
    torch.testing.assert_close(shown_real, DiffAugment()(REAL, derive(SEEDS, 1)), rtol=0, atol=0)
    torch.testing.assert_close(shown_fake, DiffAugment()(fake, derive(SEEDS, 2)), rtol=0, atol=0)
    at_step(0)
    learned = gradients(module.training_step((VIEWS[SEEDS], SEEDS), 0), module.generator)
    assert all(gradient.abs().max() > 0 for gradient in learned)
    unaugmented = gan().training_step((VIEWS[SEEDS], SEEDS), 0)
    assert not torch.isclose(unaugmented, module.training_step((VIEWS[SEEDS], SEEDS), 0))


@pytest.mark.parametrize("probability", [0.0, 0.4, 1.0])
def test_expert_augments_some_real_images_and_no_generated_ones(probability: float) -> None:
    seeds = torch.arange(800)
    real = VIEWS(*VIEWS[seeds])[0]
    shown, fake = gan(augment="expert", augment_probability=probability).augmented(real, real, seeds)
    assert fake is real
    moved = augmentations.create("mnist")(real, derive(seeds, 1))
    untouched, augmented = ((shown == images).flatten(1).all(1) for images in (real, moved))
    assert (untouched | augmented).all()
    assert augmented.float().mean().item() == pytest.approx(probability, abs=4 * (probability * (1 - probability) / 800) ** 0.5)


def distance(generator: Any, real: Tensor) -> float:
    """The energy distance (Szekely and Rizzo 2013) of generated to real images: 0 if and only if they are alike."""
    fake = generator(generator.sample_latents(len(real), rng=torch.arange(len(real)))).detach().flatten(1)
    real = real.flatten(1)
    return float(2 * torch.cdist(real, fake).mean() - torch.cdist(real, real).mean() - torch.cdist(fake, fake).mean())


@pytest.mark.parametrize(
    ("kind", "loss", "augment", "share"),
    [
        ("plain", "nonsaturating", "none", 0.3),
        ("spectral", "hinge", "none", 0.3),
        ("plain", "nonsaturating", "diff", 0.75),  # which learns more slowly
    ],
)
def test_the_generator_learns_the_digits(kind: str, loss: str, augment: str, share: float) -> None:
    module = gan(kind, loss=loss, augment=augment, r1=0.1, ema=0.9)
    held_out = data.load("digits").test
    real = held_out[torch.arange(len(held_out))][0].float() / 255
    before = distance(module.generator, real)
    fit(module, VIEWS, steps=150, batch_size=64)
    assert distance(module.trained, real) < share * before


def test_resumed_it_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    def train(out: str, steps: int, resume: bool = False) -> GAN:
        module = gan("spectral", ema=0.9, r1=1.0, r1_every=3, augment="diff")
        options: Any = {"batch_size": 16, "log_every": 2, "checkpoint_every": 4}
        fit(module, VIEWS, steps=steps, out=tmp_path / out, resume=resume, **options)
        return module

    whole = train("whole", 10)
    train("parts", 5)
    parts = train("parts", 10, resume=True)
    torch.testing.assert_close(parts.state_dict(), whole.state_dict(), rtol=0, atol=0)
    assert (tmp_path / "parts" / "metrics.csv").read_bytes() == (tmp_path / "whole" / "metrics.csv").read_bytes()


def test_two_processes_train_what_one_does() -> None:
    ends = []
    for options in ({"devices": 1}, {"devices": 2, "strategy": "ddp_spawn", "callbacks": [Farewell()]}):
        module = tiny_gan(VIEWS)
        fit(module, VIEWS, steps=4, batch_size=16, accelerator="cpu", **options)
        ends.append(weights(module))
    assert not ends[0].equal(weights(tiny_gan(VIEWS)))
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "wasserstein"}, "loss is 'wasserstein'; choose nonsaturating or hinge"),
        ({"augment": "ada"}, "augment is 'ada'; choose none, diff or expert"),
        ({"r1": -1.0}, r"r1 is -1\.0"),
        ({"r1_every": 0}, "r1_every is 0"),
        ({"discriminator_lr": 0.0}, r"discriminator_lr is 0\.0"),
        ({"augment_probability": 1.5}, r"augment_probability is 1\.5"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        GANOptions(**options)
