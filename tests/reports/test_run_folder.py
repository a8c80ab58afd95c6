"""What cannot be read is named in one line; what is not there yet is empty."""

import numpy as np
import pytest

from genviews.errors import RunError
from genviews.reports.run_folder import read_metrics, read_pictures, read_results


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_missing_results_name_the_path(tmp_path) -> None:
    with pytest.raises(RunError) as error:
        read_results(tmp_path / "results.json", ["cells"])
    assert str(tmp_path / "results.json") in one_line(error) and "give the folder" in one_line(error)


@pytest.mark.parametrize("text", ["", "{", '{"cells": [', "[1, 2]", '"cells"', '{"rows": []}', b"\xff\xfe\x00"])
def test_garbled_results_name_the_path(tmp_path, text) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RunError) as error:
        read_results(path, ["cells"])
    assert str(path) in one_line(error) and "resume" in one_line(error)


def test_metrics_leave_blank_cells_nan(tmp_path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss,consistency\n0,1.5,\n10,,0.9\n")
    metrics = read_metrics(path)
    assert list(metrics) == ["step", "loss", "consistency"]
    assert np.array_equal(metrics["loss"], [1.5, np.nan], equal_nan=True)
    assert np.array_equal(metrics["consistency"], [np.nan, 0.9], equal_nan=True)


def test_metrics_with_only_a_header_or_no_file_are_empty(tmp_path) -> None:
    path = tmp_path / "metrics.csv"
    assert read_metrics(path) == {}
    path.write_text("step,loss\n")
    assert read_metrics(path) == {}


@pytest.mark.parametrize("text", ["step,loss\n0,abc\n", "step,loss\n0,1,2\n", "epoch,loss\n0,1\n"])
def test_garbled_metrics_name_the_path(tmp_path, text: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(RunError) as error:
        read_metrics(path)
    assert str(path) in one_line(error)


def test_pictures_are_never_unpickled(tmp_path) -> None:
    path = tmp_path / "pictures.npz"
    assert read_pictures(path) == {}
    np.savez(path, real=np.array([{"an": "object"}], dtype=object))
    with pytest.raises(RunError, match=r"pictures\.npz cannot be read"):
        read_pictures(path)
    path.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(RunError, match=r"pictures\.npz cannot be read"):
        read_pictures(path)
