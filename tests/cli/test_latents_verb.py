"""`genviews latents`: what it writes, and that the other verbs take it."""

from pathlib import Path

import pytest
import torch

from genviews import latents
from genviews.cli import main
from genviews.latents import Steering
from genviews.views import Store


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(line: str) -> None:
    assert main(line.split()) == 0


def test_steer_and_what_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    run("latents steer digits-flow --out walks --edits [zoom,shift_x] --steps 3 --batch_size 8")
    assert capsys.readouterr().out == "walks\n"
    assert {"config.yaml", "metrics.csv", "model.json", "images"} <= {path.name for path in Path("walks").iterdir()}
    run("latents steer digits-flow --out walks --edits [zoom,shift_x] --steps 3 --batch_size 8 --resume")
    walks = latents.load("walks")
    assert isinstance(walks, Steering) and walks.edits == ("zoom", "shift_x")
    run("views render digits-flow walks --out pairs --pairs 8")
    z, moved = Store(Path("pairs")).latents(torch.arange(8))
    assert torch.linalg.matrix_rank(moved - z, rtol=1e-4) == 2
    run("pretrain generated --generator digits-flow --transform walks --steps 2 --batch_size 8 --pairs 8 --out encoder")
    assert Path("encoder/model.json").exists()


def test_search_std(capsys: pytest.CaptureFixture[str]) -> None:
    line = "latents search-std digits-flow digits --out run --stds [0.1,0.4] --seeds 1 --probes [knn-5] --pairs 32"
    run(f"{line} --encoder.steps 1 --encoder.batch_size 16")
    out = capsys.readouterr().out
    assert "Gaussian T_z (std 0.4)" in out
    assert "best std 0." in out and "by knn-5 on held-out training images" in out
    assert Path("run/report.html").exists() and Path("run/config.yaml").exists()
    assert main(f"{line} --stds [] --out other".split()) == 2
    assert "stds are none" in capsys.readouterr().err
