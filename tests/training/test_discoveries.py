"""The ways to discover directions besides DisCo: steps, what is known and found, encoders, runs that resume."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from genviews import encoders, generators, latents
from genviews.encoders import Encoder
from genviews.errors import GenviewsError, OptionError
from genviews.generators import BurgessVAE, Generator
from genviews.latents import Directions
from genviews.randomness import derive, uniform
from genviews.training.closed_form import DeepSpectralOptions, GANSpaceOptions, SeFaOptions
from genviews.training.discovery import DISCOVERIES, discover
from genviews.training.fit import Learner
from genviews.training.latent_discovery import LatentDiscoveryLearner, LatentDiscoveryOptions, learn_directions
from genviews.training.shift_regression import ShiftRegressionLearner, ShiftRegressionOptions, regress_shifts
from genviews.views.sources import draw_condition

SEEDS = torch.arange(10, 16)
TINY = ShiftRegressionOptions(backbone="conv-small", architecture={"width": 2}, steps=6, batch_size=8)


class Bars(nn.Module):
    """Four bars, each as bright as one coordinate of the latent, turned by a fixed rotation, on the condition's ground."""

    def __init__(self) -> None:
        super().__init__()
        self.rotation = nn.Parameter(torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0)))[0])

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        bars = (z @ self.rotation).repeat_interleave(4, dim=1).reshape(-1, 1, 4, 4) / 12
        bars = F.interpolate(bars, size=(16, 16)) + 0.5
        return bars if condition is None else bars + condition[:, None, None, None] / 10


def bars(num_conditions: int | None = None) -> Generator:
    return generators.wrap(Bars(), latent_dim=4, image_shape=(1, 16, 16), output_range=(0, 1), num_conditions=num_conditions)


def silent(learner: Learner) -> Any:
    learner.log = learner.log_dict = lambda *_: None  # type: ignore[method-assign, assignment]
    return learner


def drawn(count: int, epsilon: float, least: float) -> list[tuple[int, float]]:
    """Which direction and how far, sample by sample."""
    pairs = []
    for seed in SEEDS:
        index = int(uniform(derive(seed[None], 3), 1) * count)
        shift = epsilon * (2 * float(uniform(derive(seed[None], 4), 1)) - 1)
        if abs(shift) < least:
            shift = least if shift >= 0 else -least
        pairs.append((index, shift))
    return pairs


@pytest.mark.parametrize("conditions", [None, 3])
def test_latent_discovery_descends_its_equation(conditions: int | None) -> None:
    generator, directions = bars(conditions), Directions(4, 3, "mlp", hidden=5)
    options = LatentDiscoveryOptions(count=3, shift=4.0, least_shift=3.0, regression=0.7)
    reconstructor = Encoder("conv-small", 2, 16, 4, width=2).eval()
    learner = silent(LatentDiscoveryLearner(generator, directions, reconstructor, options))
    expected = torch.zeros(())
    classes = None if conditions is None else draw_condition(SEEDS, conditions)
    for i, (index, shift) in enumerate(drawn(3, 4.0, 3.0)):
        z, given = generator.sample_latents(1, rng=SEEDS[i : i + 1]), None if classes is None else classes[i : i + 1]
        along = torch.zeros(1, 3)
        along[0, index] = shift
        pair = [generator(z, given), generator(z + directions.displacement(along), given)]
        output = reconstructor(torch.cat(pair, dim=1))[0]
        expected = expected - output[:3].log_softmax(0)[index] + 0.7 * (output[3] - shift).abs()
    loss = learner.training_step(((), SEEDS), 0)
    torch.testing.assert_close(loss, expected / len(SEEDS))
    loss.backward()
    for module in (directions, reconstructor):
        assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in module.parameters())
    assert generator.module.rotation.grad is None


@pytest.mark.parametrize("conditions", [None, 3])
def test_the_difference_of_codes_regresses_the_shift(conditions: int | None) -> None:
    generator, directions = bars(conditions), Directions(4, 3).requires_grad_(False)
    encoder = Encoder("conv-small", 1, 16, 3, width=2).eval()
    learner = silent(ShiftRegressionLearner(generator, directions, encoder, replace(TINY, shift=2.0)))
    expected = torch.zeros(())
    classes = None if conditions is None else draw_condition(SEEDS, conditions)
    for i, (index, shift) in enumerate(drawn(3, 2.0, 0.0)):
        z, given = generator.sample_latents(1, rng=SEEDS[i : i + 1]), None if classes is None else classes[i : i + 1]
        along = torch.zeros(1, 3)
        along[0, index] = shift
        codes = encoder(generator(z + directions.displacement(along), given)) - encoder(generator(z, given))
        expected = expected + (codes - along).square().sum()
    loss = learner.training_step(((), SEEDS), 0)
    torch.testing.assert_close(loss, expected / len(SEEDS))
    loss.backward()
    assert all(weight.grad is not None for weight in encoder.parameters()) and directions.weight.grad is None


def test_latent_discovery_tells_directions_apart(tmp_path: Path) -> None:
    """Of bars that brighten on their own, chance tells one direction in four; after few steps most."""
    options = LatentDiscoveryOptions(count=4, kind="orthonormal", steps=150, lr=1e-2, architecture={"width": 8})
    learn_directions(bars(), options, tmp_path, log_every=30)
    header, *rows = [line.split(",") for line in (tmp_path / "metrics.csv").read_text().split()]
    assert float(rows[-1][header.index("accuracy")]) > 0.6
    assert float(rows[-1][header.index("shift_error")]) < 2  # the mean of |s| is 3


def test_the_encoder_follows_directions_that_are_known() -> None:
    generator = bars()
    directions = Directions.of(generator.module.rotation.T)
    options = ShiftRegressionOptions(backbone="disco", architecture={"width": 4}, steps=200, batch_size=32, lr=3e-3, shift=3.0)
    encoder = regress_shifts(generator, directions, options)
    z = generator.sample_latents(300, rng=torch.arange(300))
    codes, factors = encoder(generator(z)), z @ generator.module.rotation
    correlations = torch.corrcoef(torch.cat([codes, factors], dim=1).T)[:4, 4:]
    assert correlations.diagonal().min() > 0.9
    assert (correlations - correlations.diagonal().diag()).abs().max() < 0.4
    assert not encoder.training and not any(weight.requires_grad for weight in encoder.parameters())


GIVEN: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "latent-discovery": (LatentDiscoveryOptions, {"count": 4, "steps": 6, "batch_size": 8, "architecture": {"width": 2}}),
    "ganspace": (GANSpaceOptions, {"count": 4, "samples": 100, "layer": "decoder.lin2", "batch_size": 32}),
    "sefa": (SeFaOptions, {"count": 4}),
    "deep-spectral": (DeepSpectralOptions, {"count": 4, "samples": 1}),
}


def decoder() -> Generator:
    torch.manual_seed(0)
    return BurgessVAE((1, 32, 32), 6).frozen()


def test_every_way_is_tested_here() -> None:
    assert DISCOVERIES.keys() == {"disco", *GIVEN}


class Killed(Exception):
    pass


class Kill(Callback):
    def __init__(self, learner: type[Learner]):
        self.learner = learner

    def on_train_batch_end(self, trainer: Any, module: Any, *_: object) -> None:
        if isinstance(module, self.learner) and trainer.global_step == 4:
            raise Killed


@pytest.mark.parametrize(
    ("method", "learner"), [("latent-discovery", LatentDiscoveryLearner), *((method, ShiftRegressionLearner) for method in GIVEN)]
)
def test_killed_it_resumes_to_the_same_bytes(method: str, learner: type[Learner], tmp_path: Path) -> None:
    kind, given = GIVEN[method]
    options, every = kind(encoder=TINY, **given), {"checkpoint_every": 3, "log_every": 2}
    directions, encoder = discover(decoder(), method, options, tmp_path / "whole", **every)
    with pytest.raises(Killed):
        discover(decoder(), method, options, tmp_path / "killed", callbacks=[Kill(learner)], **every)
    assert not (tmp_path / "killed" / "model.json").exists()
    discover(decoder(), method, options, tmp_path / "killed", resume=True, **every)
    files = [path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*.*")]
    kept = [file for file in files if file.suffix in (".safetensors", ".json", ".csv") and file.name != "results.json"]
    assert {Path("model.safetensors"), Path("encoder/model.safetensors"), Path("encoder/metrics.csv")} <= set(kept)
    for file in kept:
        assert (tmp_path / "killed" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes(), file

    z, images = torch.eye(4), torch.rand(3, 1, 32, 32)
    for loaded in (
        latents.load(tmp_path / "whole", Directions),
        discover(decoder(), method, options, tmp_path / "whole", True)[0],
    ):
        assert loaded.displacement(z).equal(directions.displacement(z)) and (loaded.count, loaded.space) == (4, "z")
    assert encoders.load(tmp_path / "whole" / "encoder")(images).equal(encoder(images))
    assert encoder(images).shape == (3, 4)


@pytest.mark.parametrize("method", GIVEN)
def test_without_a_count_or_a_folder_there_are_as_many_as_there_are(method: str) -> None:
    kind, given = GIVEN[method]
    if method == "latent-discovery":
        given = {**given, "steps": 1}
    else:
        given = {name: value for name, value in given.items() if name != "count"}
    directions, encoder = DISCOVERIES[method][1](decoder(), kind(encoder=replace(TINY, steps=1), **given))
    assert directions.count == encoder.num_features == (4 if method == "latent-discovery" else 6)


def test_images_of_any_size_are_encoded() -> None:
    generator = generators.wrap(nn.Linear(4, 100), latent_dim=4, image_shape=(1, 10, 10))
    options = ShiftRegressionOptions(architecture={"width": 2}, steps=1, batch_size=4)
    encoder = regress_shifts(generator, Directions.of(torch.eye(4)), options)
    assert encoder.image_size == 16 and encoder(torch.rand(2, 1, 10, 10)).shape == (2, 4)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({"widht": 2}, "architecture is {'widht': 2}; conv-small cannot be built so: "),
        ({"outputs": 5}, "architecture is {'outputs': 5}; conv-small cannot be built so: "),
        ({"in_channels": 3}, "architecture is {'in_channels': 3}; conv-small cannot be built so: "),
        ({"width": -1}, "width is -1; it must be positive"),
        ({"width": "big"}, "width is big; it must be positive"),
    ],
)
def test_an_encoder_that_cannot_be_built_is_refused(architecture: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        regress_shifts(bars(), Directions.of(torch.eye(4)), replace(TINY, architecture=architecture))


def test_in_w_layers_are_chosen() -> None:
    generator = generators.load("fashion-stylegan2")
    options = SeFaOptions(count=2, layers=(1, 2), encoder=replace(TINY, steps=1))
    directions, _ = DISCOVERIES["sefa"][1](generator, options)
    expected = latents.sefa(generator.in_space("w").first_weights()[1:3]).vectors[:2].float()
    torch.testing.assert_close(directions.displacement(torch.eye(2)), expected)
    assert directions.space == "w"


@pytest.mark.parametrize(
    ("generator", "method", "options", "message"),
    [
        ("digits-flow", "sefa", SeFaOptions(), "RealNVP has no weights that meet its latents first"),
        ("digits-flow", "ganspace", GANSpaceOptions(), "the latents z of RealNVP are isotropic .* set layer to image or"),
        ("digits-flow", "ganspace", GANSpaceOptions(layer="net"), "layer is 'net'; choose latent, image or a module"),
        (
            "digits-flow",
            "deep-spectral",
            DeepSpectralOptions(count=65, samples=1),
            "count is 65; in the 64 dimensions of z there",
        ),
        ("digits-flow", "latent-discovery", LatentDiscoveryOptions(space="w"), "no latent space 'w'; it has z"),
        ("digits-flow", "latent-discovery", LatentDiscoveryOptions(count=65, kind="orthonormal"), "count is 65"),
        ("fashion-stylegan2", "sefa", SeFaOptions(layers=(2, 8)), r"layers is \(2, 8\); w meets layers 0 to 7; give two of them"),
        ("fashion-stylegan2", "sefa", SeFaOptions(space="z"), "take its space w"),
        ("fashion-stylegan2", "ganspace", GANSpaceOptions(count=65, samples=100), "count is 65; in the 64 dimensions of w there"),
    ],
)
def test_what_a_generator_does_not_admit_is_refused(
    generator: str, method: str, options: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(GenviewsError, match=message):
        discover(generators.load(generator), method, options, tmp_path)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LatentDiscoveryOptions(count=1), "count is 1; to tell directions apart takes at least 2"),
        (lambda: LatentDiscoveryOptions(least_shift=7.0), r"least_shift is 7\.0; it is from 0 to the largest, 6\.0"),
        (lambda: LatentDiscoveryOptions(regression=-1.0), r"regression is -1\.0; it is a weight"),
        (lambda: GANSpaceOptions(samples=0), "samples is 0; it must be positive"),
        (lambda: DeepSpectralOptions(batch_size=0), "batch_size is 0; it must be positive"),
        (lambda: SeFaOptions(count=0), "count is 0; it must be positive"),
        (lambda: ShiftRegressionOptions(shift=0.0), r"shift is 0\.0; it must be positive"),
    ],
)
def test_impossible_options_are_refused(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        build()
