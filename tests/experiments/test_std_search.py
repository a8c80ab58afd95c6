"""The search scores each std on images held out of training, and never sees the test part."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import ttest_1samp

from genviews import data, encoders, generators
from genviews.data import Splits, Subset
from genviews.errors import DataError, OptionError
from genviews.evaluation import probe
from genviews.experiments import ComparisonOptions, search_std
from genviews.training import PretrainOptions

FLOW = generators.load("digits-flow")
DIGITS = data.load("digits")
TINY = ComparisonOptions(seeds=2, probes=("linear-3", "knn-5"), pairs=64, encoder=PretrainOptions(steps=2, batch_size=32))


class Secret:
    """A test part that must not be looked at."""

    image_shape = DIGITS.test.image_shape

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"the search looked at the test part's {name}")

    def __len__(self) -> int:
        raise AssertionError("the search counted the test part")

    def __getitem__(self, indices: torch.Tensor) -> None:
        raise AssertionError("the search read test images")


def test_it_probes_on_a_part_held_out_of_training(tmp_path: Path) -> None:
    options = replace(TINY, probes=("knn-5",))
    found = search_std(FLOW, Splits(DIGITS.train, Secret()), [0.8, 0.1], options, tmp_path, validation=0.25)  # type: ignore[arg-type]
    assert list(found.scores.rows) == ["none", "gaussian:0.1", "gaussian:0.8"]
    page = (tmp_path / "report.html").read_text()
    assert "Top-1 in % against the std" in page and "no test image is seen" in page
    held = int(page.split(" images that are held out")[0].rsplit(" ", 1)[1])
    assert held == pytest.approx(len(DIGITS.train) / 4, abs=10)
    means = {std: found.scores.percent(f"gaussian:{std}", "knn-5").mean() for std in (0.1, 0.8)}
    assert found.best == max(means, key=means.__getitem__)
    (other,) = {0.1, 0.8} - {found.best}
    gain = found.scores.gain(f"gaussian:{other}", "knn-5", f"gaussian:{found.best}")
    noise = np.allclose(gain, 0) or ttest_1samp(gain, 0).pvalue > 0.05
    assert found.close == ((other,) if noise else ())


def test_a_validation_part_is_what_it_scores_on(tmp_path: Path) -> None:
    train, validation = (Subset(DIGITS.train, torch.arange(start, 1400, 2)) for start in (0, 1))
    splits = Splits(train, Secret(), validation)  # type: ignore[arg-type]
    found = search_std(FLOW, splits, [0.3], replace(TINY, seeds=1), tmp_path)
    expected = probe(encoders.load(tmp_path / "encoders" / "gaussian-0.3-0"), Splits(train, validation), TINY.probes)
    for name, score in expected.items():
        assert found.scores.percent("gaussian:0.3", name) == pytest.approx(100 * score.top1)
    assert (found.best, found.close) == (0.3, ())
    assert "against the std" not in (tmp_path / "report.html").read_text()


def test_what_cannot_be_searched_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="stds are none"):
        search_std(FLOW, DIGITS, [], TINY, tmp_path)
    with pytest.raises(OptionError, match=r"std is -0\.1; it must be positive"):
        search_std(FLOW, DIGITS, [0.2, -0.1], TINY, tmp_path)
    unlabelled = replace(DIGITS.train, labels=torch.full_like(DIGITS.train.labels, -1))
    with pytest.raises(DataError, match="takes labels"):
        search_std(FLOW, Splits(unlabelled, DIGITS.test), [0.2], TINY, tmp_path)
