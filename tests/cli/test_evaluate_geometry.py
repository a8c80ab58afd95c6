"""`genviews evaluate geometry`: a run folder, a page, one table."""

import json
from pathlib import Path

import pytest
import torch

from genviews import encoders
from genviews.cli import main
from genviews.encoders import Encoder, projector

QUICK = "--samples 30 --shown 15 --perplexity 5 --iterations 3 --restarts 1"


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    encoders.save(Encoder("conv-small", 1, 16, width=2), tmp_path / "encoder")
    encoders.save_projector(projector(8, out_features=3), tmp_path / "encoder")
    return tmp_path / "encoder"


def test_a_page_and_a_table(encoder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = encoder.parent / "geometry"
    line = f"evaluate geometry {encoder} digits --generator digits-flow --gromov_wasserstein --out {out} {QUICK}".split()
    assert main(line) == 0
    printed = capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    assert f"participation ratio                     {results['participation_ratio']:.2f}" in printed
    for name in ("encoder", "generator"):
        assert f"{name}: D+ (Cai & Lim)" in printed and results["maps"][name]["cai_lim"] > 0
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 12  # P and Q of four methods, two histograms of two maps
    assert "Gromov-Wasserstein" in page and "8 dimensions of each representation" in page
    assert main([*line, "--resume"]) == 0
    assert capsys.readouterr().out == printed
    assert main(["report", str(out)]) == 0


def test_the_space_of_the_projector(encoder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"evaluate geometry {encoder} digits --space embedding {QUICK} --out"
    assert main([*line.split(), str(encoder.parent / "embedding")]) == 0
    assert "30 images of digits, 3 dimensions of each embedding" in capsys.readouterr().out
    encoders.save(Encoder("conv-small", 1, 16, width=2), encoder.parent / "bare")
    assert main([*line.replace(str(encoder), str(encoder.parent / "bare")).split(), str(encoder.parent / "no")]) == 2
    assert "bare has no projector, so no embeddings; take --space representation" in capsys.readouterr().err
