"""The page of mutual information, and the table a terminal shows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genviews.errors import RunError
from genviews.evaluation import Information, correlations
from genviews.reports import write_report
from genviews.reports.information import as_text

TABLE = {
    f"runs/<b>{name}</b>": Information(mine, 2 * mine, proxy, torch.full((9,), distance))
    for name, mine, proxy, distance in (("a", 2.0, 0.9, 0.2), ("b", 1.0, 0.7, 0.5), ("c", -0.5, 0.2, 1.25))
}
RESULTS: dict[str, Any] = {
    "kind": "mutual-information",
    "encoder": "runs/encoder",
    "pairs": 1234,
    "temperature": 0.1,
    "kinds": {name: row.numbers() for name, row in TABLE.items()},
    "correlations": {name: row._asdict() for name, row in correlations(TABLE).items()},
    "date": "2026-01-02T03:04:05+00:00",
    "version": "1.2.3",
    "device": "a device",
}


def test_the_page_has_every_number_and_escapes_names(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(RESULTS))
    page = write_report(tmp_path).read_text()
    for text in ("runs/&lt;b&gt;a&lt;/b&gt;", "-0.500", "1.250", "1,234 pairs", "at most 7.12", "\N{MINUS SIGN}1.00", "a device"):
        assert text in page
    assert "<b>" not in page and page.count("<svg") == 2


def test_results_that_lack_something_are_told(tmp_path: Path) -> None:
    short = {name: value for name, value in RESULTS.items() if name != "correlations"}
    (tmp_path / "results.json").write_text(json.dumps(short))
    with pytest.raises(RunError, match="lacks 'correlations'"):
        write_report(tmp_path)


def test_the_text_has_the_correlations_and_warns_of_a_critic_that_knows_nothing() -> None:
    lines = as_text(TABLE, correlations(TABLE)).splitlines()
    assert lines[1].split() == ["runs/<b>a</b>", "2.000", "4.000", "0.900", "0.200"]
    expected = np.corrcoef([2.0, 1.0, -0.5], [0.2, 0.5, 1.25])[0, 1]
    assert lines[4] == f"MINE against distance: Pearson {expected:+.3f}, Spearman -1.000"
    assert lines[-1].startswith("MINE is below 0 for runs/<b>c</b>: what its critic learned does not hold for other pairs")
    assert "below 0" not in as_text({"a": next(iter(TABLE.values()))}, {})
