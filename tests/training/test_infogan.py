"""InfoGAN-CR: its two regularisers are their equations, and codes that are learned can be told from the images."""

import json
import math
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from reference.discriminators import TinyDiscriminator
from torch import Tensor
from torch.distributions import Normal
from torch.nn import functional as F

from genviews import data, encoders
from genviews.errors import OptionError
from genviews.generators import MLPGAN
from genviews.training.fit import fit
from genviews.training.generator_learner import GeneratorOptions
from genviews.training.generators import train_generator
from genviews.training.infogan import InfoGANCR, InfoGANOptions, pair_classifier
from genviews.views import RealViews

VIEWS = RealViews(data.load("digits").train)
SEEDS = torch.arange(400)
CODES, DIM = 3, 8


def infogan(**options: Any) -> InfoGANCR:
    torch.manual_seed(0)
    shared = GeneratorOptions(lr=2e-3, betas=(0.0, 0.99), weight_decay=0.0, schedule="constant")
    given = InfoGANOptions(**{"codes": CODES, "r1": 0.1, **options})
    module = InfoGANCR(MLPGAN((DIM, 32, 64)), TinyDiscriminator((1, 8, 8)), VIEWS, shared, given)
    module.log_dict = module.log = lambda *_: None  # type: ignore[method-assign, assignment]
    return module


def drawn(module: InfoGANCR) -> tuple[Tensor, Tensor]:
    z = module.generator.sample_latents(len(SEEDS), rng=SEEDS)
    return z, module.generator(z)


def test_information_is_the_likelihood_of_the_codes() -> None:
    module = infogan()
    z, fake = drawn(module)
    guess = module.code_head(module.discriminator.features(fake))
    expected = -Normal(guess, 1.0).log_prob(z[:, :CODES]).sum(1).mean() - CODES * math.log(2 * math.pi) / 2
    loss = module.information_loss(z, fake)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    for network in (module.generator, module.discriminator.net, module.code_head):
        assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in network.parameters())


def test_a_pair_shares_one_code_and_everything_that_is_no_code() -> None:
    module, seen = infogan(), []
    z, fake = drawn(module)
    module.generator.register_forward_hook(lambda _, inputs, images: seen.append((inputs[0], images)))
    loss = module.contrast_loss(z, fake, SEEDS)
    ((other, other_images),) = seen
    assert other[:, CODES:].equal(z[:, CODES:])
    same = other[:, :CODES] == z[:, :CODES]
    assert (same.sum(1) == 1).all()
    assert same.float().mean(0).tolist() == pytest.approx([1 / CODES] * CODES, abs=4 * (2 / 9 / len(SEEDS)) ** 0.5)
    fresh, old = other[:, :CODES][~same], z[:, :CODES][~same]
    assert fresh.mean().item() == pytest.approx(0, abs=4 / len(fresh) ** 0.5)
    assert fresh.std().item() == pytest.approx(1, abs=4 / len(fresh) ** 0.5)
    assert abs(torch.corrcoef(torch.stack([fresh, old]))[0, 1]) < 4 / len(fresh) ** 0.5
    logits = module.pair_classifier(torch.cat([fake, other_images], dim=1))
    torch.testing.assert_close(loss, F.cross_entropy(logits, same.int().argmax(1)))


def test_the_loss_is_the_weighted_sum_and_the_regulariser_can_wait() -> None:
    batch, parts = (VIEWS[SEEDS], SEEDS), {}
    module = infogan(information=0.3, contrast=2.0)
    module.log_dict = lambda metrics: parts.update(metrics)  # type: ignore[method-assign, assignment]
    losses = [module.training_step(batch, 0), infogan(information=0.3, contrast=2.0, contrast_from=1).training_step(batch, 0)]
    penalty = 0.1 / 2 * 16 * parts["r1"]
    expected = parts["generator_loss"] + parts["discriminator_loss"] + penalty + 0.3 * parts["information_loss"]
    torch.testing.assert_close(losses, [expected + 2 * parts["contrast_loss"], expected])


def test_codes_become_visible() -> None:
    module = infogan(information=1.0, contrast=1.0)
    del module.log_dict, module.log
    history = fit(module, VIEWS, steps=120, batch_size=64)
    assert history.rows[-1]["information_loss"] < 0.5 * CODES / 2  # half the error of a guess that knows nothing
    assert history.rows[-1]["contrast_loss"] < 0.8 * math.log(CODES)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (1, 64, 64), (3, 4, 4)])
def test_pairs_of_any_size_are_classified(shape: tuple[int, int, int]) -> None:
    assert pair_classifier(shape, 5)(torch.rand(2, 2 * shape[0], *shape[1:])).shape == (2, 5)


@pytest.mark.parametrize("family", ["sngan", "dcgan", "stylegan2"])
def test_the_run_keeps_what_tells_codes(family: str, tmp_path: Path) -> None:
    """Of a run of the family; what Q says of a batch is what the loss compares with the codes."""
    given: dict[str, Any] = {"sngan": {"width": 4}, "dcgan": {"width": 4}, "stylegan2": {"channels": [4, 4]}}[family]
    options = GeneratorOptions(steps=2, batch_size=8, ema=0.9)
    learners: list[InfoGANCR] = []

    class Watch(Callback):
        def on_train_end(self, trainer: Any, module: Any) -> None:
            learners.append(module)

    train_generator(
        family,
        data.load("digits").train,
        options,
        tmp_path,
        architecture={"latent_dim": DIM},
        discriminator=given,
        gan=InfoGANOptions(codes=CODES),
        callbacks=[Watch()],
    )
    encoder = encoders.load(tmp_path / "encoder")
    assert not encoder.training and encoder.num_features == CODES
    (module,) = learners
    images = VIEWS(*VIEWS[torch.arange(8)]).first
    expected = module.code_head(module.discriminator.eval().features(images))
    torch.testing.assert_close(encoder(images), expected)
    assert encoder(images).std(0).min() > 0
    names: dict[str, Any] = {"images": images}
    lines = json.loads((tmp_path / "encoder" / "model.json").read_text())["python"]
    with chdir(tmp_path / "encoder"):
        exec("\n".join(lines), names)
    torch.testing.assert_close(names["features"], expected)


def test_impossible_options_are_refused() -> None:
    with pytest.raises(OptionError, match=r"contrast -1\.0; neither may be negative"):
        InfoGANOptions(contrast=-1.0)
    for codes in (1, 9):
        with pytest.raises(OptionError, match=f"codes is {codes}; give 2 or more, up to the 8 dimensions of the latents"):
            infogan(codes=codes)
