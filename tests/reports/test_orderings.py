"""The paper's order of rows against ours, by hand-made scores with a known answer."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t

from genviews.reports.orderings import orderings, summary
from genviews.reports.scores import Scores

PAPER = {"a": {"linear": 30.0}, "b": {"linear": 20.0}, "c": {"linear": 10.0}, "d": {}}
OURS = {"a": (0.70, 0.72, 0.71), "b": (0.60, 0.61, 0.63), "c": (0.65, 0.60, 0.62), "d": (0.1, 0.2, 0.3)}


def scores(values: dict[str, tuple[float, ...]]) -> Scores:
    cells = [{"row": row, "seed": s, "probe": "linear", "value": v} for row, vs in values.items() for s, v in enumerate(vs)]
    return Scores.read({"rows": [*values], "probes": ["linear"], "cells": cells}, Path("results.json"))


def test_neighbours_in_the_papers_order_are_compared_by_a_paired_test() -> None:
    first, second = orderings(scores(OURS), PAPER)
    assert (first.better, first.worse, second.better, second.worse) == ("a", "b", "b", "c")
    assert (first.paper, second.paper) == (10, 10)
    np.testing.assert_allclose(first.ours, [10, 11, 8])
    statistic = first.ours.mean() / (first.ours.std(ddof=1) / np.sqrt(3))
    assert first.p == pytest.approx(t.sf(statistic, 2))
    assert (first.verdict, second.verdict) == ("holds", "within noise")


def test_an_order_turned_round_beyond_noise_is_called_contrary() -> None:
    turned = scores({"a": OURS["b"], "b": OURS["a"], "c": OURS["c"], "d": OURS["d"]})
    assert orderings(turned, PAPER)[0].verdict == "contrary"
    assert "and 1 the contrary order beyond noise" in summary(turned, PAPER)


def test_one_seed_tells_nothing() -> None:
    assert orderings(scores({row: values[:1] for row, values in OURS.items()}), PAPER)[0].verdict == "no telling"


def test_the_summary_counts_all_pairs() -> None:
    assert summary(scores(OURS), PAPER) == (
        "Of 3 pairs of rows, 2 have the paper's order in the mean, 2 beyond noise (paired over seeds, one-sided p < 0.05), "
        "and 0 the contrary order beyond noise; Kendall's tau with the paper +0.33."
    )
    assert summary(scores(OURS), {}) == ""


def test_an_order_that_is_claimed_without_numbers_is_tested_too() -> None:
    first, *_, last = orderings(scores(OURS), PAPER, [("a", "b"), ("c", "d"), ("a", "absent")])
    assert (first.paper, last.better, last.worse, last.paper, last.verdict) == (10, "c", "d", None, "holds")
    np.testing.assert_allclose(last.ours, [55, 40, 32])
    assert summary(scores(OURS), PAPER, [("a", "b"), ("c", "d")]).startswith("Of 4 pairs of rows, 3 have")
    assert summary(scores(OURS), {}, [("d", "a")]).endswith("and 1 the contrary order beyond noise.")


def test_where_lower_is_better_the_order_turns_round_and_numbers_stay_as_they_are() -> None:
    cells = [{"row": row, "seed": s, "probe": "fid", "value": v} for row, vs in OURS.items() for s, v in enumerate(vs)]
    results = {"rows": [*OURS], "probes": ["fid"], "cells": cells, "lower_is_better": ["fid"], "not_percent": ["fid"]}
    found = Scores.read(results, Path("results.json"))
    np.testing.assert_allclose(found.percent("a", "fid"), OURS["a"])
    np.testing.assert_allclose(found.gain("a", "fid", "b"), [-0.10, -0.11, -0.08])
    paper = {row: {"fid": values["linear"]} for row, values in PAPER.items() if values}
    first, second = orderings(found, paper)
    assert (first.better, first.worse, second.better, second.worse) == ("c", "b", "b", "a")
    assert (first.paper, second.paper, second.verdict) == (10, 10, "holds")
    assert "Of 3 pairs of rows, 2 have the paper's order in the mean" in summary(found, paper)
    assert "Kendall's tau with the paper +0.33" in summary(found, paper)
