"""The page of an inversion: which images it shows, and what it says when something is missing."""

from pathlib import Path

import pytest
import torch

from genviews import data, generators
from genviews.errors import RunError
from genviews.reports import write_report
from genviews.reports.inversion import ranks
from genviews.views import invert_images


def test_the_best_the_middle_and_the_worst_in_order() -> None:
    errors = torch.tensor([5.0, 1, 4, 2, 3, 9, 7])
    shown = ranks(errors, 3)
    assert {name: errors[rows].tolist() for name, rows in shown.items()} == {
        "best": [1, 2, 3],
        "median": [3, 4, 5],
        "worst": [5, 7, 9],
    }
    assert all(errors[rows].tolist() == [1, 2, 3, 4, 5, 7, 9] for rows in ranks(errors, 10).values())


def test_a_page_without_pictures_encoder_or_configuration(tmp_path: Path) -> None:
    flow, digits = generators.load("digits-flow"), data.load("digits").train
    invert_images(flow, digits, tmp_path, limit=4, data="<b>digits</b>")
    page = write_report(tmp_path).read_text()
    assert "&lt;b&gt;" not in page and "b&gt; inverted" in page and "4 images" in page
    assert "<img" not in page and "Run it again" not in page and "training" not in page
    invert_images(flow, digits, tmp_path / "nameless", limit=4)
    with pytest.raises(RunError, match="lacks 'data'"):
        write_report(tmp_path / "nameless")
