"""`genviews evaluate mutual-information`, on the generator and the data that come with the package."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from genviews import augmentations, encoders, evaluation, generators, latents, views
from genviews.cli import main
from genviews.data import load
from genviews.evaluation import Kind
from genviews.metrics import CriticOptions
from genviews.reports.information import ANCHORS, DRAWS, SHOWN

NAMES = ["mnist", "mnist of G(z)", "T_z std 0.1", "T_z std 0.5"]


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    torch.manual_seed(0)
    encoders.save(encoders.Encoder("conv-small", 1, 16, width=4), tmp_path / "encoder")
    views.render(generators.load("digits-flow"), latents.Gaussian(0.3), tmp_path / "pairs", pairs=200)
    options = f"--augmentations [mnist] --generator digits-flow --stds [0.1,0.5] --stores [{tmp_path / 'pairs'}]"
    numbers = "--samples 200 --critic.batch_size 50 --critic.epochs 4 --seed 1"
    return f"evaluate mutual-information {tmp_path / 'encoder'} digits {options} {numbers} --out {tmp_path / 'run'}".split()


def test_a_run_has_a_table_results_and_a_page(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, names = tmp_path / "run", [*NAMES, str(tmp_path / "pairs")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    assert list(results["kinds"]) == names and results["pairs"] == 200 and results["critic"]["held_out"] == 0.5
    assert [line.split("  ")[0] for line in printed.splitlines()[1:6]] == names
    assert "MINE against distance: Pearson " in printed and "200 pairs of each kind" in printed

    flow, embedder = generators.load("digits-flow"), encoders.embedder(tmp_path / "encoder")
    kinds = {
        "mnist": Kind(views.RealViews(load("digits").train), augmentations.create("mnist", 16)),
        "T_z std 0.5": Kind(views.GeneratedViews(flow, latents.Gaussian(0.5), 200, 1, anew=True)),
    }
    critic = CriticOptions(batch_size=50, epochs=4)
    for name, row in evaluation.mutual_information(embedder, kinds, samples=200, critic=critic, seed=1).items():
        assert results["kinds"][name] == pytest.approx(row.numbers(), rel=1e-3, abs=1e-4)

    page = (out / "report.html").read_text()
    assert all(name in page for name in names) and "rank correlation with distance" in page
    with np.load(out / "images" / "pictures.npz") as arrays:
        assert arrays["map"].shape == (5, ANCHORS, 1 + DRAWS, 2) and np.isfinite(arrays["map"]).all()
        assert arrays["distances-2"].mean() == pytest.approx(results["kinds"]["T_z std 0.1"]["distance"])
    assert Image.open(out / "images" / "views-2.png").size == (9 * (1 + SHOWN) - 1, 9 * ANCHORS - 1)


def test_resumed_it_ends_alike_and_one_kind_has_no_correlation(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = [*command[:4], *command[12:]]
    assert main(short) == 0
    assert "correlations take three kinds" in capsys.readouterr().out
    before = json.loads((tmp_path / "run" / "results.json").read_text())
    assert before["correlations"] == {} and list(before["kinds"]) == ["mnist"]
    assert main(short) == 2 and "--resume" in capsys.readouterr().err
    assert main([*short, "--resume"]) == 0
    assert json.loads((tmp_path / "run" / "results.json").read_text())["kinds"] == before["kinds"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--critic.batch_size 512", "mnist: the critic learns from 100 of 200 pairs, fewer than its batch of 512"),
        ("--augmentations [blurred]", "there is no augmentation 'blurred'; there are simclr"),
        ("--stds [-1]", "stds is -1.0; it must be positive"),
        ("--stores [nowhere]", "'nowhere' is neither"),
        ("--critic.held_out 1", "held_out is 1"),
    ],
)
def test_impossible_options_are_told_in_one_line(
    command: list[str], options: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command[:4], *command[12:], *options.split()]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
