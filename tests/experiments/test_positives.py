"""The comparison fills its folder cell by cell, goes on where it stopped, and shows what it measured."""

import json
from pathlib import Path

import pytest
import torch

from genviews import data, encoders, generators
from genviews.data import Splits
from genviews.errors import OptionError, RunError, ShapeError
from genviews.evaluation import probe
from genviews.experiments import ComparisonOptions, compare_positives
from genviews.experiments.positives import Row
from genviews.latents import Gaussian
from genviews.training import NavigatorOptions, PretrainOptions
from genviews.views import Store

FLOW = generators.load("digits-flow")
DIGITS = data.load("digits")
TINY = ComparisonOptions(
    rows=("real", "none", "gaussian:0.3", "untrained", "cop-gen", "cop-gen@none"),
    seeds=2,
    probes=("linear-3", "knn-5"),
    pairs=64,
    encoder=PretrainOptions(steps=2, batch_size=32),
    navigator=NavigatorOptions(steps=4, batch_size=16, judge_steps=2, check_every=2),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "comparison"
    compare_positives(FLOW, DIGITS, TINY, out, title="tiny", command="genviews quickstart")
    return out


def test_every_cell_is_the_probe_of_its_encoder(run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    cells = {(cell["row"], cell["seed"], cell["probe"]): cell["top1"] for cell in results["cells"]}
    assert set(cells) == {(row, seed, name) for row in TINY.rows for seed in (0, 1) for name in TINY.probes}
    assert results["config"]["navigator"]["judge_steps"] == 2
    for row, slug in (("real", "real"), ("gaussian:0.3", "gaussian-0.3"), ("cop-gen@none", "cop-gen-none")):
        scores = probe(encoders.load(run / "encoders" / f"{slug}-1"), DIGITS, TINY.probes)
        assert {name: score.top1 for name, score in scores.items()} == {name: cells[row, 1, name] for name in TINY.probes}


def test_the_rows_move_latents_as_they_say(run: Path) -> None:
    rows = torch.arange(64)
    z, same = Store(run / "views" / "none").latents(rows)
    assert z.equal(same)
    _, moved = Store(run / "views" / "gaussian-0.3").latents(rows)
    assert 0.2 < (moved - z).std() < 0.3  # truncated at two standard deviations
    shifts = [Store(run / "views" / row).latents(rows)[1] - z for row in ("untrained", "cop-gen", "cop-gen-none")]
    assert all(shift.abs().min() > 0 for shift in shifts)
    assert not shifts[0].equal(shifts[1]) and not shifts[1].equal(shifts[2])
    assert (shifts[0] - shifts[1]).abs().max() < 0.05  # four small steps from it


def test_the_report_shows_every_row(run: Path) -> None:
    page = (run / "report.html").read_text()
    for text in ("real images", "Gaussian T_z (std 0.3)", "untrained navigator", "COP-Gen T_z, T_x none", "genviews quickstart"):
        assert text in page


def test_a_cell_that_is_there_is_not_computed_again(run: Path) -> None:
    path = run / "results.json"
    results = json.loads(path.read_text())
    lost = [cell for cell in results["cells"] if (cell["row"], cell["seed"]) == ("none", 1)]
    results["cells"] = [cell | {"top1": 0.123} for cell in results["cells"] if cell not in lost]
    path.write_text(json.dumps(results))
    again = compare_positives(FLOW, DIGITS, TINY, run, title="tiny")
    assert json.loads(json.dumps(again["cells"][-2:])) == lost
    assert all(cell["top1"] == 0.123 for cell in again["cells"][:-2])


def test_a_folder_of_other_options_is_refused(run: Path) -> None:
    with pytest.raises(RunError, match="other options"):
        compare_positives(FLOW, DIGITS, ComparisonOptions(seeds=1), run, title="tiny")


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    larger = Splits(DIGITS.train.resized(16), DIGITS.test.resized(16))
    with pytest.raises(ShapeError, match=r"images are \(1, 16, 16\), the generator makes \(1, 8, 8\)"):
        compare_positives(FLOW, larger, TINY, tmp_path, title="tiny")


def test_rows_are_read_from_their_names() -> None:
    row = Row.parse("gaussian:0.25@weak")
    assert (row.positive, row.std, row.augmentation, row.slug) == ("gaussian", 0.25, "weak", "gaussian-0.25-weak")
    assert isinstance(Gaussian(row.std), Gaussian)
    for name, message in (("gauss", "'gauss' is unknown"), ("gaussian:x", "'x' is no std"), ("real:0.2", "is unknown")):
        with pytest.raises(OptionError, match=message):
            Row.parse(name)
