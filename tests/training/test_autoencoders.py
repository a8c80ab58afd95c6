"""Autoencoders: their losses are the papers', and in two stages the encoder stays as the first left it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from reference import autoencoders as naive
from reference.autoencoders import Kill, Killed, digits, train
from torch import Tensor, nn

from genviews import generators
from genviews.errors import OptionError
from genviews.generators import DCGANDiscriminator, PatchDiscriminator
from genviews.randomness import derive, normal, shuffled
from genviews.training import (
    AUTOENCODERS,
    PretrainOptions,
    VAEGANOptions,
    VQGANOptions,
    Weakening,
    simclr_autoencoder,
    train_autoencoder,
)
from genviews.training.autoencoder_learner import AutoencoderLearner
from genviews.training.fit import Batches
from genviews.training.vaegan import VAEGAN
from genviews.training.vqgan import VQGAN, adaptive_weight
from genviews.views import RealViews

VIEWS = RealViews(digits())
BATCH = Batches(VIEWS, 8, seed=0)[0]
REAL, SEEDS = VIEWS(*BATCH[0]).first, BATCH[1]
families = pytest.mark.parametrize("family", AUTOENCODERS)


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the step a module without a trainer is at; what it logs goes nowhere."""
    for name in ("log", "log_dict"):
        monkeypatch.setattr(AutoencoderLearner, name, lambda *_: None)
    return lambda step: monkeypatch.setattr(AutoencoderLearner, "global_step", property(lambda _: step))


def learner(family: str, kept: bool = False, **changes: Any) -> Any:
    torch.manual_seed(0)
    how = AUTOENCODERS[family]
    built = generators.FAMILIES[family](VIEWS.image_shape, **naive.SIZES[family])
    judge = {"vaegan": DCGANDiscriminator, "vqgan": PatchDiscriminator}[family](VIEWS.image_shape, width=4)
    options = replace(how.options, batch_size=8, ema=0.0)
    return how.learner(built, judge, VIEWS, options, replace(how.objective, **changes), kept=kept)


def gradients(loss: Tensor, weights: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True))


def agree(loss: Tensor, expected: Tensor, network: nn.Module) -> None:
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    for ours, theirs in zip(gradients(loss, weights), gradients(expected, weights), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kept", [False, True])
def test_each_network_of_a_vaegan_has_the_gradient_of_its_own_loss(kept: bool, at_step: Callable[[int], None]) -> None:
    at_step(1)  # at which no penalty is due
    module: VAEGAN = learner("vaegan", gamma=3.0, kept=kept)
    loss = module.training_step(BATCH, 0)
    noise, prior = normal(derive(SEEDS, 4), 4), normal(SEEDS, 4)
    encoder, decoder, discriminator = naive.vaegan_losses(module, REAL, noise, prior)
    agree(loss, decoder, module.generator.decoder)
    agree(loss, discriminator, module.discriminator)
    if kept:
        assert not any(weight.requires_grad for weight in module.generator.encoder.parameters())
    else:
        agree(loss, encoder, module.generator.encoder)


def test_a_vqgan_is_equations_4_to_7(at_step: Callable[[int], None]) -> None:
    at_step(0)
    module: VQGAN = learner("vqgan", start=0)
    loss = module.training_step(BATCH, 0)
    autoencoder, discriminator, adaptive = naive.vqgan_losses(module, REAL)
    torch.testing.assert_close(loss, autoencoder + discriminator, rtol=1e-4, atol=1e-5)
    assert 0 < adaptive < 1e4
    weights = [weight for name, weight in module.generator.named_parameters() if "conv_out" in name or "quant" in name]
    constant = autoencoder  # lambda has a graph of its own, which no gradient passes here
    for ours, theirs in zip(gradients(loss, weights), gradients(constant, weights), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-4)
    agree(loss, discriminator, module.discriminator)


def test_the_adaptive_weight_makes_both_gradients_as_long() -> None:
    last = torch.tensor([1.0, 2.0], requires_grad=True)
    weight = adaptive_weight(last.square().sum(), 5 * last[0], last)
    torch.testing.assert_close(weight, torch.tensor(20.0).sqrt() / 5, rtol=1e-3, atol=0)
    assert adaptive_weight(1e9 * last.sum(), 1e-9 * last.sum(), last) == 1e4


def test_before_its_start_the_discriminator_neither_learns_nor_counts(at_step: Callable[[int], None]) -> None:
    module = learner("vqgan", start=5)
    judge = list(module.discriminator.parameters())
    at_step(4)
    assert set(gradients(module.training_step(BATCH, 0), judge)) == {None}
    at_step(5)
    assert None not in gradients(module.training_step(BATCH, 0), judge)


def test_a_perceptual_loss_is_of_the_given_features(at_step: Callable[[int], None]) -> None:
    at_step(0)
    plain, module = learner("vqgan"), learner("vqgan", perceptual=2.0)
    module.perceptual = nn.Flatten()
    fake = module.generator(module.generator.encode(REAL))
    extra = module.training_step(BATCH, 0) - plain.training_step(BATCH, 0)
    torch.testing.assert_close(extra, 2 * (fake - REAL).square().mean(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("by", ["dropout", "width"])
@families
def test_in_the_second_stage_the_encoder_stays_and_the_decoder_begins_anew(family: str, by: Any, tmp_path: Path) -> None:
    found = train(family, tmp_path, weaken=Weakening(by), width=16)
    weak = generators.load(tmp_path / "weak")
    for part, first in zip(found.encoding, weak.encoding, strict=True):
        for (name, tensor), before in zip(part.state_dict().items(), first.state_dict().values(), strict=True):
            assert tensor.equal(before), name
    sizes = [sum(weight.numel() for weight in network.decoder.parameters()) for network in (found, weak)]
    assert sizes[0] > sizes[1] if by == "width" else sizes[0] == sizes[1]
    images = REAL[:2]
    assert generators.load(tmp_path)(found.encode(images)).equal(found(found.encode(images)))
    assert not found(found.encode(images)).allclose(weak(weak.encode(images)), atol=1e-4)


@families
def test_dropout_makes_the_decoder_weaker_in_training_alone(family: str) -> None:
    module = learner(family)
    names = [*module.generator.state_dict()]
    Weakening(amount=0.3).apply(module.generator.decoder)
    assert [*module.generator.state_dict()] == names
    z = module.generator.sample_latents(4, rng=torch.arange(4))
    module.train()
    assert not module.generator(z).allclose(module.generator(z))
    module.eval()
    assert module.generator(z).equal(module.generator(z))
    dropouts = {layer.p for layer in module.generator.decoder.modules() if isinstance(layer, nn.Dropout)}
    assert dropouts == {0.3}
    assert {layer.p for part in module.generator.encoding for layer in part.modules() if isinstance(layer, nn.Dropout)} <= {0.0}


@pytest.mark.parametrize(("stage", "step"), [("weak", 2), ("run", 3)])
@families
def test_killed_in_either_stage_it_resumes_to_the_same_weights(family: str, stage: str, step: int, tmp_path: Path) -> None:
    whole = train(family, tmp_path / "whole", weaken=Weakening())
    with pytest.raises(Killed):
        train(family, tmp_path / "run", weaken=Weakening(), callbacks=[Kill(stage, step)])
    assert not (tmp_path / "run" / "model.json").exists()
    resumed = train(family, tmp_path / "run", resume=True, weaken=Weakening())
    for (name, ours), theirs in zip(resumed.state_dict().items(), whole.state_dict().values(), strict=True):
        assert ours.equal(theirs), name


def test_a_codebook_begins_as_places_of_images() -> None:
    module = learner("vqgan")
    places = module.generator.continuous(REAL).permute(0, 2, 3, 1).flatten(0, 2)
    some = shuffled(len(VIEWS), module.options.seed)[: module.options.batch_size]
    first = module.generator.continuous(VIEWS(*VIEWS[some]).first).permute(0, 2, 3, 1).flatten(0, 2)
    assert torch.cdist(module.generator.model.quantize.embedding.weight, first).min(1).values.max() < 1e-2
    assert len(module.generator.quantised(module.generator.continuous(REAL))[2].unique()) > 3 and places.std() > 0


def test_a_trained_vqgan_has_standardised_latents(tmp_path: Path) -> None:
    found = train("vqgan", tmp_path)
    z = found.encode(VIEWS(*VIEWS[torch.arange(64)]).first).unflatten(1, (found.code_dim, -1)).transpose(0, 1).flatten(1)
    torch.testing.assert_close(z.mean(1), torch.zeros(4), rtol=0, atol=1e-4)
    torch.testing.assert_close(z.std(1), torch.ones(4), rtol=1e-3, atol=0)


def test_simclrs_representations_are_whitened_and_kept(tmp_path: Path) -> None:
    recipe = PretrainOptions(steps=3, batch_size=32)
    source = simclr_autoencoder(digits(), recipe, tmp_path / "simclr", architecture=naive.VAEGAN_SIZE, accelerator="cpu")
    images = VIEWS(*VIEWS[torch.arange(64)]).first
    z = source.encode(images)
    torch.testing.assert_close(z.mean(0), torch.zeros(4), rtol=0, atol=1e-4)
    torch.testing.assert_close(z.T.cov(), torch.eye(4), rtol=0, atol=1e-3)
    assert source.posterior(images)[1].exp().max() < 1e-8
    found = train("vaegan", tmp_path / "gan", encoder=source)
    assert found.encode(images).equal(z)
    again = simclr_autoencoder(digits(), recipe, tmp_path / "simclr", resume=True, architecture=naive.VAEGAN_SIZE)
    assert again.encode(images).equal(z)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="family is 'vae'; choose vaegan or vqgan"):
        train_autoencoder("vae", digits(), out=tmp_path)
    with pytest.raises(OptionError, match="the encoder is a VQGAN's; give one of a VAEGAN"):
        train("vaegan", tmp_path, encoder=generators.VQGAN((1, 8, 8), **naive.VQGAN_SIZE))
    with pytest.raises(OptionError, match="give them the same architecture"):
        train("vaegan", tmp_path, encoder=generators.VAEGAN((1, 8, 8), 4, width=4))
    with pytest.raises(OptionError, match="an encoder is given and a weak decoder"):
        train("vaegan", tmp_path, weaken=Weakening(), encoder=generators.VAEGAN((1, 8, 8), 4, width=8))
    with pytest.raises(OptionError, match=r"amount is 1.5; it is a fraction between 0 and 1"):
        Weakening(amount=1.5)
    with pytest.raises(OptionError, match=r"width 8 less 0.4 of it leaves no multiple of 8"):
        train("vqgan", tmp_path, weaken=Weakening("width"))
    with pytest.raises(OptionError, match="by is 'noise'; choose dropout or width"):
        Weakening(by="noise")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="augment is 'diff'"):
        VAEGANOptions(augment="diff")
    with pytest.raises(OptionError, match=r"gamma is -1; it must be 0 or more"):
        VAEGANOptions(gamma=-1)
    with pytest.raises(OptionError, match=r"start is -1; it must be 0 or more"):
        VQGANOptions(start=-1)
    with pytest.raises(OptionError, match=r"r1 1.0; a VQGAN takes neither"):
        VQGANOptions(r1=1.0)
