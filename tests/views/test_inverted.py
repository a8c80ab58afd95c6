"""Inversions on disk: read as written, checked against generator and images, resumed to the same bytes."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from genviews import data, generators
from genviews.checkpoints import read
from genviews.errors import CheckpointError, DataError, OptionError, RunError, ShapeError
from genviews.generators import RealNVP
from genviews.latents import InversionOptions, invert
from genviews.views import Inversion, invert_images, inverted
from genviews.views.inverted import PARTS

FLOW = generators.load("digits-flow")
DIGITS = data.load("digits").train
OPTIONS = InversionOptions(steps=6, batch_size=4, starts=3)


class Waves(nn.Module):
    """Smooth images of 8 x 8 pixels of 2 latents."""

    def forward(self, z: Tensor) -> Tensor:
        at = torch.linspace(-1, 1, 8)
        return (0.5 + 0.4 * torch.sin(2 * z[:, 0, None, None] + 3 * at) * torch.cos(z[:, 1, None, None] + at[:, None]))[:, None]


WAVES = generators.wrap(Waves(), latent_dim=2, image_shape=(1, 8, 8), output_range=(0, 1))


def of(errors: list[float]) -> Inversion:
    count = len(errors)
    return Inversion(torch.zeros(count, 2), torch.tensor(errors), torch.zeros(count, dtype=torch.int64), {"kind": "inversion"})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = invert_images(FLOW, DIGITS, tmp_path, limit=50, data="digits", part="train")
    again, expected = Inversion.load(tmp_path), invert(FLOW, DIGITS[torch.arange(50)][0] / 255)
    for name in ("latents", "errors", "steps"):
        assert torch.equal(getattr(found, name), getattr(again, name))
    torch.testing.assert_close(again.latents, expected.latents)
    assert again.about == json.loads(json.dumps(found.about)) and again.space == "z"
    assert again.about["data"] == "digits" and again.about["count"] == 50 and again.about["method"] == "encode"
    assert again.generator["class"] == "RealNVP" and again.about["flagged"] == 0 and again.about["perceptual"] is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latents.safetensors", "results.json"]


def test_it_knows_its_generator_and_its_images(tmp_path: Path) -> None:
    found = invert_images(FLOW, DIGITS, tmp_path, limit=30)
    found.check(generators.load("digits-flow"), DIGITS)
    torch.manual_seed(1)
    with pytest.raises(RunError, match=r"these latents are of generator\.config\.steps=10, not 2; give the same, or invert into"):
        found.check(RealNVP((1, 8, 8), steps=2, levels=17), DIGITS)
    other = generators.load("digits-flow")
    next(other.parameters()).data += 1e-3
    with pytest.raises(RunError, match=r"these latents are of generator\.sha256="):
        found.check(other, DIGITS)
    pixels = DIGITS.images.clone()
    pixels[29, 0, 3, 3] ^= 1
    found.check(FLOW, dataclasses.replace(DIGITS, images=DIGITS.images.index_fill(0, torch.tensor([40]), 0)))
    with pytest.raises(RunError, match=r"these latents are of images="):
        found.check(FLOW, dataclasses.replace(DIGITS, images=pixels))
    with pytest.raises(RunError, match="not only 10 images"):
        found.check(FLOW, DIGITS.subset(torch.arange(10)))


def test_latents_of_w_know_their_space(tmp_path: Path) -> None:
    torch.manual_seed(0)
    generator = generators.StyleGAN2((1, 8, 8), latent_dim=5, mapping=(9, 7), channels=(8, 6)).frozen()
    found = invert_images(generator.in_space("w"), DIGITS, tmp_path, options=OPTIONS, limit=3)
    assert found.space == "w" and found.latents.shape == (3, 7)
    found.check(generator, DIGITS)
    found.check(generator.in_space("w"), DIGITS)


@pytest.mark.parametrize(
    ("errors", "threshold", "flagged"),
    [
        ([1e-9, 2e-9, 3e-9, 1e-4], 0.001, []),  # whatever the outlier, it is a good reconstruction
        ([0.3, 0.4, 0.5, 0.04], 0.05, [0, 1, 2]),  # however many they are, none of these is one
        ([0.010, 0.011, 0.012, 0.013, 0.014, 0.030, 0.002], 0.012 + 5 * 0.002, [5]),
    ],
)
def test_images_outside_the_generator_s_range_are_flagged(errors: list[float], threshold: float, flagged: list[int]) -> None:
    found = of(errors)
    assert found.threshold == pytest.approx(threshold)
    assert found.flagged().nonzero().flatten().tolist() == flagged
    assert found.flagged(0.0).all() and not found.flagged(1.0).any()


def test_killed_it_resumes_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = invert_images(WAVES, DIGITS, tmp_path / "whole", options=OPTIONS, limit=14)
    write, written = inverted.write_tensors, []

    def write_or_die(path: Path, tensors: dict[str, Tensor]) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(path, tensors)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(inverted, "write_tensors", write_or_die)
        invert_images(WAVES, DIGITS, tmp_path / "killed", options=OPTIONS, limit=14)
    assert not (tmp_path / "killed" / "results.json").exists() and all(path.exists() for path in written)
    with pytest.raises(CheckpointError, match=r"results\.json is missing"):
        Inversion.load(tmp_path / "killed")
    with pytest.raises(RunError, match="holds an inversion already; resume it, or invert into a new folder"):
        invert_images(WAVES, DIGITS, tmp_path / "killed", options=OPTIONS, limit=14)
    with pytest.raises(RunError, match=r"holds the inversion of options\.lr=0\.05, not 0\.1"):
        changed = dataclasses.replace(OPTIONS, lr=0.1)
        invert_images(WAVES, DIGITS, tmp_path / "killed", options=changed, limit=14, resume=True)
    shutil.copytree(tmp_path / "killed", tmp_path / "marked")
    for path in (tmp_path / "marked" / PARTS).glob("*.safetensors"):
        part = read(path)
        write(path, part | {"steps": part["steps"] + 100})
    marked = invert_images(WAVES, DIGITS, tmp_path / "marked", options=OPTIONS, limit=14, resume=True)
    assert (marked.steps >= 100).tolist() == [True] * 8 + [False] * 6  # what was done was not done again
    resumed = invert_images(WAVES, DIGITS, tmp_path / "killed", options=OPTIONS, limit=14, resume=True)
    for name in ("whole", "killed"):
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["latents.safetensors", "results.json"]
    assert (tmp_path / "whole" / "latents.safetensors").read_bytes() == (tmp_path / "killed" / "latents.safetensors").read_bytes()
    assert {k: v for k, v in whole.about.items() if k not in ("seconds", "date")} == {
        k: v for k, v in resumed.about.items() if k not in ("seconds", "date")
    }
    again = invert_images(WAVES, DIGITS, tmp_path / "whole", options=OPTIONS, limit=14, resume=True)
    assert torch.equal(again.latents, whole.latents) and again.about["date"] == whole.about["date"]
    with pytest.raises(RunError, match="holds the inversion of count=14, not 15"):
        invert_images(WAVES, DIGITS, tmp_path / "whole", options=OPTIONS, limit=15, resume=True)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"limit": 0}, OptionError, "limit is 0; it must be positive"),
        ({"method": "in-domain"}, OptionError, "Wrapped has no encoder and none is given"),
        ({"images": DIGITS.resized(16)}, ShapeError, r"makes images \(1, 8, 8\), those to invert are \(1, 16, 16\)"),
        ({"images": DIGITS.subset(torch.arange(0))}, DataError, "there are no images to invert"),
    ],
)
def test_what_cannot_be_inverted_leaves_no_folder(
    change: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    given = {"images": DIGITS, "options": OPTIONS} | change
    with pytest.raises(error, match=message):
        invert_images(WAVES, out=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_other_runs_and_damaged_files_are_told(tmp_path: Path) -> None:
    invert_images(FLOW, DIGITS, tmp_path, limit=5)
    (tmp_path / "latents.safetensors").write_bytes((tmp_path / "latents.safetensors").read_bytes()[:-10])
    with pytest.raises(CheckpointError, match=r"latents\.safetensors"):
        Inversion.load(tmp_path)
    (tmp_path / "results.json").write_text('{"kind": "generator"}')
    with pytest.raises(RunError, match="is a run of kind 'generator'; give one of genviews invert"):
        Inversion.load(tmp_path)
