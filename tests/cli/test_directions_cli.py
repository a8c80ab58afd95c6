"""`genviews directions`: what it writes, that it goes on, and one line for what is wrong."""

import json
import math
import shutil
from pathlib import Path
from typing import get_args

import pytest
import torch

from genviews import encoders, latents
from genviews.cli import main
from genviews.cli.directions import Discovery
from genviews.latents import Directions
from genviews.training.discovery import DISCOVERIES

SMALL = "--count 3 --steps 2 --settings.backbone conv-small --settings.architecture.width 4 --settings.codes 4"
FEW = "--settings.batch_size 4 --settings.positives 4 --settings.negatives 4"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "found"
    assert main(f"directions discover digits-flow --out {out} {SMALL} {FEW}".split()) == 0
    return out


@pytest.fixture
def run(found: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(found, tmp_path / "run"))


def error(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(line.split()) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("genviews: error: ")
    return said


def test_discover_keeps_directions_their_encoder_and_a_page(found: Path) -> None:
    directions, encoder = latents.load(found, Directions), encoders.load(found / "encoder")
    assert (directions.count, directions.dim, directions.space) == (3, 64, "z")
    assert encoder.config["width"] == 4 and encoder.num_features == 4
    results = json.loads((found / "results.json").read_text())
    assert results["method"] == "disco" and results["options"]["steps"] == 2
    assert sorted(row["direction"] for row in results["shown"]["ranking"]) == [0, 1, 2]
    assert "Directions of digits-flow" in (found / "report.html").read_text()
    assert (found / "config.yaml").exists() and (found / "metrics.csv").exists()
    assert len(list((found / "images").glob("direction-*.png"))) == 3


def test_discover_goes_on_and_only_as_the_same_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / "model.safetensors").read_bytes(), json.loads((run / "results.json").read_text())["shown"]
    line = f"directions discover digits-flow --out {run} {SMALL} {FEW}"
    assert "--resume" in error(line, capsys)
    assert main([*line.split(), "--resume"]) == 0
    assert before == ((run / "model.safetensors").read_bytes(), json.loads((run / "results.json").read_text())["shown"])
    assert "holds a run of seed" in error(f"{line} --seed 5 --resume", capsys)


def test_show_again_otherwise(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"directions show digits-flow {run} --shift 2.5 --anchors 2 --top 2 --samples 4 --gif --data shapes3d"
    assert "shapes3d is rendered at 16" in error(line, capsys)
    assert main(line.removesuffix(" --data shapes3d").split()) == 0
    said = capsys.readouterr().out
    shown = json.loads((run / "results.json").read_text())["shown"]
    best = [row["direction"] for row in shown["ranking"]][:2]
    assert [row.split()[1] for row in said.splitlines()[:2]] == [str(k) for k in best]
    assert said.splitlines()[-2:] == [str(run / "report.html"), str(run)]
    names = {path.name for path in (run / "images").iterdir()}
    assert {f"direction-{k}.{kind}" for k in best for kind in ("png", "gif")} < names and len(names) == 6
    page = (run / "report.html").read_text()
    assert "from -2.5 to 2.5" in page and page.count("data:image/gif") == 2
    assert main(f"report {run}".split()) == 0


def test_methods_are_those_there_are() -> None:
    assert get_args(Discovery) == tuple(DISCOVERIES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--method pca", "latent-discovery"),
        ("--settings.widht 3", "has no option 'widht'; it has count, kind"),
        ("--settings.lr fast", "lr cannot be 'fast'"),
        ("--space w", "has no latent space 'w'; it has z"),
        ("--count 1", "count is 1"),
    ],
)
def test_discover_says_in_a_line_what_is_wrong_and_leaves_the_folder_free(
    options: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in error(f"directions discover digits-flow --out {tmp_path / 'run'} {options}", capsys)
    assert not (tmp_path / "run").exists() or [path.name for path in (tmp_path / "run").iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    ("options", "message"),
    [("--shift 0", "shift is 0"), ("--top 0", "top is 0"), ("--anchors 0", "anchors is 0"), ("--samples 0", "samples is 0")],
)
def test_show_says_in_a_line_what_is_wrong(options: str, message: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in error(f"directions show digits-flow {run} {options}", capsys)


def test_show_takes_only_runs_of_directions_of_this_generator(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    latents.save(Directions(10, 3), run)
    message = "the directions move latents of 10 dimensions, those of RealNVP in space z have 64"
    assert message in error(f"directions show digits-flow {run}", capsys)
    results = json.loads((run / "results.json").read_text())
    (run / "results.json").write_text(json.dumps(results | {"kind": "generator"}))
    assert "is a run of kind 'generator'; give one of genviews directions discover" in error(
        f"directions show digits-flow {run}", capsys
    )
    assert "results.json is missing" in error(f"directions show digits-flow {run / 'images'}", capsys)


def test_directions_of_a_space_the_generator_lacks_are_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    latents.save(Directions(64, 3, space="w"), run)
    assert "RealNVP has no latent space 'w'; it has z" in error(f"directions show digits-flow {run}", capsys)


def test_an_encoder_of_nan_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = encoders.load(run / "encoder").requires_grad_(False)
    next(iter(encoder.parameters())).fill_(math.nan)
    encoders.save(encoder, run / "encoder")
    assert "NaN or infinite" in error(f"directions show digits-flow {run}", capsys)


def test_one_direction_alone_is_shown_without_planes(run: Path) -> None:
    latents.save(Directions.of(torch.eye(64)[:1]), run)
    assert main(f"directions show digits-flow {run} --samples 2".split()) == 0
    page = (run / "report.html").read_text()
    assert "direction 0" in page and "Two at a time" not in page
