"""`genviews invert`: what it writes and says, that it goes on, and one line for what is wrong."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from genviews import data, encoders, generators
from genviews.cli import main
from genviews.views import Inversion, inverted

SMALL = "--encoder.steps 4 --encoder.batch_size 8 --encoder.architecture.width 4 --encoder.discriminator.width 4"
LINE = f"invert digits-flow digits --method in-domain --limit 20 --steps 5 --batch_size 8 {SMALL}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert main(f"{LINE} --out {out}".split()) == 0
    return out


def test_a_flow_takes_a_second_and_is_exact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(f"invert digits-flow digits --out {out}".split()) == 0
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"1,437 images by encode: mean squared error \S+e-\d\d, 0 flagged \(above 0.001\); features: none, pixels alone", said[0]
    )
    assert said[1:] == [str(out / "report.html"), str(out)]
    found = Inversion.load(out)
    found.check(generators.load("digits-flow"), data.load("digits").train)
    assert found.latents.shape == (1437, 64) and found.errors.max() < 1e-10
    assert found.about["data"] == "digits" and found.about["part"] == "train"
    assert not (out / "encoder").exists() and not (out / "parts").exists()


def test_in_domain_trains_its_encoder_and_begins_there(run: Path) -> None:
    encoder, found = encoders.load(run / "encoder"), Inversion.load(run)
    assert encoder.num_features == 64 and encoder.config["width"] == 4
    assert json.loads((run / "encoder" / "model.json").read_text())["inversion"]["options"]["steps"] == 4
    assert found.about["method"] == "in-domain" and found.steps.tolist() == [5] * 20
    flow, images = generators.load("digits-flow"), data.load("digits").train[torch.arange(20)][0] / 255
    start = encoder(images).detach()
    assert 0 < (found.latents - start).abs().max() <= 5 * 0.0501
    torch.testing.assert_close(found.errors, (flow(found.latents) - images).square().mean((1, 2, 3)))


def test_the_page_shows_pairs_and_errors(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert "digits inverted" in page and "space z of RealNVP" in page and "found by in-domain" in page
    assert page.count("data:image/png;base64") == 3 and page.count("<svg") >= 4  # errors, and the encoder's metrics
    assert main(f"report {run}".split()) == 0
    images = data.load("digits").train[torch.arange(20)][0]
    worst = Inversion.load(run).errors.argmax()
    with Image.open(run / "images" / "worst.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[:2] == (17, 12 * 9 - 1)
    assert np.array_equal(pixels[:8, -8:, 0], images[worst, 0].numpy())


def test_killed_it_goes_on_to_the_same_result(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, write, written = tmp_path / "killed", inverted.write_tensors, []

    def write_or_die(path: Path, tensors: dict[str, torch.Tensor]) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(path)
        write(path, tensors)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(inverted, "write_tensors", write_or_die)
        main(f"{LINE} --out {out}".split())
    assert main(f"{LINE} --out {out} --resume".split()) == 0
    for name in ("latents.safetensors", "encoder/model.safetensors", "images/worst.png"):
        assert (out / name).read_bytes() == (run / name).read_bytes(), name


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("invert digits-flow digits --space w", "RealNVP has no latent space 'w'; it has z"),
        ("invert digits-flow digits --limit 0", "limit is 0; it must be positive"),
        ("invert digits-flow digits --perceptual nope", "nope is missing"),
        ("invert digits-flow digits --lr 0", "lr is 0.0; it must be positive"),
        ("invert digits-flow digits --method guess", "'in-domain'"),
        ("invert digits-flow digits --encoder.wings 2", "wings"),
        ("invert digits-flow rgb.npz", "RealNVP makes images (1, 8, 8), those to invert are (3, 8, 8); convert their colours"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    line: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("rgb.npz", images=np.zeros((10, 9, 9, 3), np.uint8))
    assert main([*line.split(), "--out", "run"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("genviews: error: ") and message in said
    assert not Path("run").exists() or [path.name for path in Path("run").iterdir()] == ["config.yaml"]
