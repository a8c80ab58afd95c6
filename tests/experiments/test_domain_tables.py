"""The tables of domains run end to end, and no encoder has seen the domain that it is scored on."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from genviews import data
from genviews.errors import OptionError
from genviews.experiments import TABLES, reproduce
from genviews.experiments.cache import Cache
from genviews.experiments.distance.domains import METHODS, PAPER, SMOKE, Scale, columns, opened, pretrained
from genviews.experiments.runner import Run


@pytest.fixture(scope="module")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    """The smoke scale on digits in three looks."""
    digits = data.load("digits", 16).train
    images = digits.images[:180].repeat(1, 3, 1, 1)
    of = torch.arange(180) % 3
    images[of == 1] = 255 - images[of == 1]
    images[of == 2, 1:] = 0
    path = tmp_path_factory.mktemp("data") / "looks.npz"
    arrays = {"images": images.permute(0, 2, 3, 1), "labels": digits.labels[:180] % 4, "domains": of}
    np.savez(path, **{name: array.numpy() for name, array in arrays.items()})
    return replace(SMOKE, data=str(path), seeds=1, methods=("moco", "t-moco", "supcon"))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for both tables, which share their encoders."""
    return tmp_path_factory.mktemp("distance")


def test_both_tables_run_and_share_their_encoders(scale: Scale, out: Path) -> None:
    first = Run("distance/ood", TABLES["distance/ood"], "smoke", scale, out)
    cells = reproduce(first)["cells"]
    assert [(cell["row"], cell["probe"]) for cell in cells] == [("moco", "pacs"), ("t-moco", "pacs")]
    assert len([*(out / "cache").glob("encoders/*/model.json")]) == 2 * 3
    second = Run("distance/zoo", TABLES["distance/zoo"], "smoke", scale, out)
    values = {cell["row"]: cell["value"] for cell in reproduce(second)["cells"]}
    assert [*values] == ["single", "ensemble", "selection", "mean", "hindsight", "tau"]
    assert len([*(out / "cache").glob("encoders/*/model.json")]) == 3 * 3
    assert values["mean"] <= values["hindsight"] and values["single"] <= values["hindsight"] and -1 <= values["tau"] <= 1
    assert len([*(out / "cache").glob("zoos/*/numbers.json")]) == 1  # measured once for all rows


def test_an_encoder_has_not_seen_the_domain_held_out(scale: Scale, tmp_path: Path) -> None:
    images = opened("pacs", scale)
    garbled = images.images.images.clone()
    garbled[images.domains == 2] = 7
    other = replace(images, images=replace(images.images, images=garbled))
    weights = [
        pretrained("simclr", "pacs", found, 2, scale, 0, Cache(tmp_path / str(i))).state_dict()
        for i, found in enumerate((images, other))
    ]
    assert all(tensor.equal(weights[1][name]) for name, tensor in weights[0].items())
    seen = pretrained("simclr", "pacs", other, 1, scale, 0, Cache(tmp_path / "1")).state_dict()
    assert any(not tensor.equal(seen[name]) for name, tensor in weights[0].items())


def test_other_images_may_teach_the_encoders(scale: Scale, tmp_path: Path) -> None:
    on_digits = replace(scale, images="digits", encoder=replace(scale.encoder, augmentation="mnist"))
    images, cache = opened("pacs", scale), Cache(tmp_path)
    for held in (0, 1):
        pretrained("simclr", "pacs", images, held, on_digits, 0, cache)
    (kept,) = cache.root.glob("encoders/*.json")
    assert json.loads(kept.read_text())[0] == ["digits", None, len(data.load("digits").train)]


def test_the_average_stands_where_there_are_all_three(scale: Scale) -> None:
    assert len(METHODS) == 8 and PAPER.methods == SMOKE.methods == METHODS
    assert [*columns(PAPER)] == ["pacs", "vlcs", "officehome", "average"]
    assert TABLES["distance/ood"].rows[1].paper["average"] == pytest.approx((61.3 + 75.1 + 42.1) / 3, abs=0.05)


def test_data_that_are_not_there_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="data 'PACS' is no folder"):
        reproduce(Run("distance/ood", TABLES["distance/ood"], "smoke", SMOKE, tmp_path))
