"""Training generators: the objectives are their equations, and a few steps improve them."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import LambdaCallback
from torch import nn

from genviews import data, generators
from genviews.encoders import Encoder, Features, save
from genviews.errors import OptionError
from genviews.reports import write_report
from genviews.training import DEFAULTS, FrechetDistance, GeneratorOptions, InstanceOptions, train_generator

DIGITS = data.load("digits").train
PIXELS = Features("pixels", nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.Flatten()))
SMALL: dict[str, dict[str, Any]] = {
    "realnvp": {"steps": 2, "hidden": 8},
    "glow": {"blocks": 2, "steps": 2, "width": 8},
    "residual_flow": {"blocks": (1, 1), "hidden": 8},
    "stylegan2": {"latent_dim": 16},
    "dcgan": {"channels": (16, 8)},
    "sngan": {"channels": (8, 8, 8)},
    "biggan": {"channels": (8, 8, 8), "latent_dim": 6},
    "biggan_deep": {"channels": (16, 16, 16, 16, 16)},
    "icgan": {"channels": (8, 8, 8), "latent_dim": 6},
}
"""Architectures at 16 px; the others are trained at 32 px."""


@pytest.fixture(scope="module")
def instances(tmp_path_factory: pytest.TempPathFactory) -> InstanceOptions:
    """Those of an untrained encoder, all of which are stored."""
    encoder = tmp_path_factory.mktemp("encoder")
    save(Encoder("conv-small", 1, 16), encoder)
    return InstanceOptions(encoder, neighbours=3, stored=len(DIGITS))


def column(path: Path, name: str) -> list[float]:
    return [float(row[name]) for row in csv.DictReader(path.open())]


def test_a_flow_learns_the_digits(tmp_path: Path) -> None:
    architecture = {"steps": 4, "hidden": 64, "levels": 17}
    flow = train_generator("realnvp", DIGITS, GeneratorOptions(steps=150, clip=1.0), tmp_path, architecture=architecture)
    bits = column(tmp_path / "metrics.csv", "bits_per_dim")
    assert bits[-1] < bits[0] - 0.3
    assert bits[-1] < math.log2(17)  # better than the uniform distribution over grey levels
    images = DIGITS[torch.arange(8)][0].float() / 255
    again = generators.load(tmp_path)
    torch.testing.assert_close(again.log_prob(images), flow.log_prob(images), rtol=0, atol=0)
    torch.testing.assert_close(again(again.encode(images)), images, atol=1e-4, rtol=0)
    assert not any(p.requires_grad for p in flow.parameters())


def test_a_vae_learns_to_reconstruct(tmp_path: Path) -> None:
    images = data.load("digits", 32).train
    vae = train_generator("burgess_vae", images, GeneratorOptions(steps=60, batch_size=64), tmp_path)
    errors = column(tmp_path / "metrics.csv", "reconstruction")
    assert errors[-1] < 0.9 * errors[0]
    assert type(generators.load(tmp_path)) is type(vae)


@pytest.mark.parametrize("family", DEFAULTS)
def test_every_family_trains_and_is_watched(family: str, instances: InstanceOptions, tmp_path: Path) -> None:
    images = data.load("digits", 16 if family in SMALL else 32)
    distance = FrechetDistance(PIXELS, images.test, 40)
    options = replace(DEFAULTS[family], steps=4, batch_size=8)
    small: Any = {"architecture": SMALL.get(family, {}), "every": 2, "distance": lambda: distance, "log_every": 1}
    small["instances"] = instances
    trained = train_generator(family, images.train, options, tmp_path / "whole", **small)
    assert {sheet.name for sheet in (tmp_path / "whole/images").iterdir()} == {"samples-000002.png", "samples-000004.png"}
    rows = list(csv.DictReader((tmp_path / "whole/metrics.csv").open()))
    assert [bool(row["fid"]) for row in rows] == [False, True, False, True]
    assert float(rows[-1]["fid"]) == pytest.approx(distance(trained), rel=1e-3)
    results = json.loads((tmp_path / "whole/results.json").read_text())
    assert results["fid"] == "40 samples against 360 test images; features: pixels" and results["steps"] == 4
    write_report(tmp_path / "whole")
    assert "step 4" in (tmp_path / "whole/report.html").read_text()

    class Killed(Exception):
        pass

    def die(trainer: L.Trainer, *_: object) -> None:
        if trainer.global_step == 3:
            raise Killed

    with pytest.raises(Killed):
        callback = LambdaCallback(on_train_batch_end=die)
        train_generator(family, images.train, options, tmp_path / "cut", checkpoint_every=1, callbacks=[callback], **small)
    again = train_generator(family, images.train, options, tmp_path / "cut", True, checkpoint_every=1, **small)
    for name, tensor in trained.state_dict().items():
        assert again.state_dict()[name].equal(tensor), name


@pytest.mark.parametrize("family", DEFAULTS)
def test_every_family_trains_in_mixed_precision(family: str, instances: InstanceOptions, tmp_path: Path) -> None:
    images = data.load("digits", 16 if family in SMALL else 32).train
    options = replace(DEFAULTS[family], steps=2, batch_size=4)
    trained = train_generator(
        family,
        images,
        options,
        tmp_path,
        architecture=SMALL.get(family),
        instances=instances,
        precision="bf16-mixed",
        log_every=1,
    )
    assert not trained.autocast and all(weight.dtype == torch.float32 for weight in trained.parameters())
    assert all(math.isfinite(loss) for loss in column(tmp_path / "metrics.csv", "loss"))


def test_impossible_families_and_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="family 'stylegan9' is not trained here"):
        train_generator("stylegan9", DIGITS, out=tmp_path)
    with pytest.raises(OptionError, match="32 x 32 or 64 x 64"):
        train_generator("burgess_vae", DIGITS, out=tmp_path)
    with pytest.raises(OptionError, match=r"Glow has no option 'wings'; it has image_shape, blocks"):
        train_generator("glow", DIGITS, out=tmp_path, architecture={"wings": 2})
