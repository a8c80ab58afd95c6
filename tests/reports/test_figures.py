"""Sheets against a naive double loop; plots against the numbers they were given."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.optimize import minimize_scalar
from scipy.stats import gaussian_kde

from genviews.errors import ShapeError
from genviews.reports.figures import COLOURS, curves, error_bars, grid, histogram, intervals, labelled, save_grid, scatter


def naive_grid(images: np.ndarray, columns: int, pad: int) -> np.ndarray:
    n, channels, height, width = images.shape
    rows = (n + columns - 1) // columns
    sheet = np.zeros((rows * height + (rows - 1) * pad, columns * width + (columns - 1) * pad, 4), np.uint8)
    for i in range(n):
        top, left = i // columns * (height + pad), i % columns * (width + pad)
        for y in range(height):
            for x in range(width):
                red, green, blue = images[i, :, y, x] if channels == 3 else [images[i, 0, y, x]] * 3
                sheet[top + y, left + x] = red, green, blue, 255
    return sheet


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("n", "columns", "pad"), [(7, 3, 1), (4, 2, 0), (2, 5, 2), (1, 1, 1)])
def test_grid_is_the_naive_layout(channels: int, n: int, columns: int, pad: int) -> None:
    images = np.random.default_rng(n).integers(0, 256, (n, channels, 4, 3), dtype=np.uint8)
    expected = naive_grid(images, columns, pad)
    assert np.array_equal(grid(images, columns, pad), expected)
    assert np.array_equal(grid(torch.from_numpy(images), columns, pad), expected)


def test_grid_clamps_and_rounds_floats() -> None:
    images = torch.tensor([-0.3, 0.0, 0.4999 / 255, 0.5001 / 255, 0.5, 1.0, 1.7], requires_grad=True).reshape(1, 1, 1, 7)
    assert grid(images, 1)[0, :, 0].tolist() == [0, 0, 0, 1, 128, 255, 255]


@pytest.mark.parametrize("shape", [(0, 1, 8, 8), (3, 8, 8), (2, 4, 8, 8)])
def test_grid_names_a_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=re.escape(str(shape))):
        grid(torch.zeros(shape), 2)


def test_saved_grid_reads_back(tmp_path) -> None:
    images = torch.rand(5, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    save_grid(tmp_path / "sheet.png", images, 3, pad=2)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "sheet.png")), grid(images, 3, pad=2))


def paths(svg: str, colour: str) -> list[list[tuple[float, float]]]:
    """The points of the SVG's paths stroked in `colour`, in drawing order."""
    drawn = [
        e
        for e in ET.fromstring(svg).iter()
        if e.tag.endswith("path") and f"stroke: {colour}".lower() in e.get("style", "").lower()
    ]
    return [[(float(x), float(y)) for x, y in re.findall(r"[ML] (\S+) (\S+)", e.get("d", ""))] for e in drawn]


def test_curves_follow_their_values_and_leave_out_blanks() -> None:
    x, y = np.arange(5.0), np.array([1.0, 3.0, np.nan, 2.0, 5.0])
    line = np.array(paths(curves(x, {"loss": y}), "#3D7FC1")[0])
    assert len(line) == 4
    seen = np.isfinite(y)
    assert np.corrcoef(line[:, 0], x[seen])[0, 1] == pytest.approx(1)
    assert np.corrcoef(line[:, 1], y[seen])[0, 1] == pytest.approx(-1)  # SVG's y points down


def test_curves_mark_where_they_are_told() -> None:
    svg = curves([0, 10], {"loss": [0, 10]}, marks={"kept at 5": 5, "stopped at 10": 10})
    line = paths(svg, "#3D7FC1")[0]
    ends = [line[0][0], line[-1][0]]
    verticals = {p[0][0] for p in paths(svg, "currentColor") if len(p) == 2 and p[0][0] == p[1][0]}
    assert any(v == pytest.approx(sum(ends) / 2, abs=1e-3) for v in verticals)
    assert any(v == pytest.approx(ends[1], abs=1e-3) for v in verticals)
    assert {"kept at 5", "stopped at 10"} <= {e.text for e in ET.fromstring(svg).iter() if e.tag.endswith("text")}


def test_a_histogram_is_as_high_as_the_shares() -> None:
    few, many = np.array([0.0, 1, 1, 4]), np.repeat([0.0, 2, 4], [30, 20, 10])
    svg = histogram({"few": few, "many": many}, xlabel="error", marks={"threshold": 2.0})
    outlines = [np.array(max(paths(svg, colour), key=len)) for colour in ("#3D7FC1", "#D9622B")]
    bottom, top = max(line[:, 1].max() for line in outlines), min(line[:, 1].min() for line in outlines)
    for line, shares in zip(outlines, ([0, 0.25, 0.5], [0, 1 / 6, 1 / 3, 0.5]), strict=True):
        heights = np.unique(((bottom - line[:, 1]) / (bottom - top) / 2).round(3))
        np.testing.assert_allclose(heights, shares, atol=1e-3)
    assert {"few", "many", "threshold", "error"} <= {e.text for e in ET.fromstring(svg).iter() if e.tag.endswith("text")}


def test_error_bars_span_one_standard_deviation() -> None:
    """Two rows share an axis, so lengths in the SVG are proportional to standard deviations."""
    wide, narrow = np.array([80.0, 90.0, 97.0]), np.array([85.0, 86.0, 88.0])
    svg = error_bars({"wide": wide, "narrow": narrow}, xlabel="top-1")
    bars = [max(abs(p[1][0] - p[0][0]) for p in paths(svg, c) if len(p) == 2) for c in ("#3D7FC1", "#D9622B")]
    assert bars[0] / bars[1] == pytest.approx(wide.std(ddof=1) / narrow.std(ddof=1), rel=1e-3)
    texts = [e.text for e in ET.fromstring(svg).iter() if e.tag.endswith("text")]
    assert {"wide", "narrow", "89.0", "86.3"} <= set(texts)


def test_five_values_stand_before_their_density() -> None:
    """Its outline is as wide as the values, and highest where a Gaussian kernel has their mode."""
    points = np.array([1.0, 2.0, 2.5, 3.0, 9.0])
    alike = np.full(6, 20.765294904215104)  # whose standard deviation is rounded to above 0
    assert "fill-opacity: 0.2" not in error_bars({"four": points[:4], "alike": alike}, xlabel="MIG")
    svg = error_bars({"five": points}, xlabel="MIG")
    (name,) = re.findall(r'href="#(\w+)" x="0" y="\S+"[^>]*fill-opacity: 0.2', svg)
    (path,) = re.findall(rf'id="{name}" d="([^"]*)"', svg)
    x, y = np.array([[float(v) for v in corner] for corner in re.findall(r"[ML] (\S+) (\S+)", path)]).T
    mode = minimize_scalar(lambda at: -gaussian_kde(points)(at)[0], bounds=(1, 9), method="bounded").x
    assert (x[y.argmin()] - x.min()) / np.ptp(x) == pytest.approx((mode - 1) / 8, abs=0.02)


def test_intervals_are_a_line_with_a_band_between_the_ends() -> None:
    x, values = [0.0, 0.1, 0.4], np.array([[80.0, 78, 83], [90, 85, 92], [86, 86, 86]])
    svg = intervals(x, {"linear": values, "one seed": np.full((3, 3), np.nan)}, xlabel="std")
    line = np.array(paths(svg, "#3D7FC1")[0])
    scale, start = np.polyfit(values[:, 0], line[:, 1], 1)
    np.testing.assert_allclose(line[:, 1], scale * values[:, 0] + start, atol=1e-3)
    assert np.corrcoef(line[:, 0], x)[0, 1] == pytest.approx(1)
    name, bottom = re.findall(r'href="#(\w+)" x="0" y="(\d+)"[^>]*fill-opacity: 0.15', svg)[0]
    band = re.findall(rf'id="{name}" d="([^"]*)"', svg)[0]
    corners = {round(float(bottom) + float(y), 2) for y in re.findall(r"[ML] \S+ (\S+)", band)}
    assert corners == {round(scale * v + start, 2) for v in values[:, 1:].flatten()}


def test_scattered_points_lie_where_they_are_told() -> None:
    places = np.array([[0.0, 1.0], [2.0, 3.0], [1.0, 7.0]])
    svg = scatter({"kind": places, "alone": [[4.0, 5.0]]}, xlabel="distance", ylabel="nats")
    uses = [e for e in ET.fromstring(svg).iter() if e.tag.endswith("use") and "fill: #3d7fc1" in e.get("style", "").lower()]
    x, y = np.array([[float(use.attrib[axis]) for use in uses[:3]] for axis in "xy"])
    assert np.corrcoef(x, places[:, 0])[0, 1] == pytest.approx(1)
    assert np.corrcoef(y, places[:, 1])[0, 1] == pytest.approx(-1)  # SVG's y points down
    texts = {e.text for e in ET.fromstring(svg).iter() if e.tag.endswith("text")}
    assert {"kind", "alone", "distance", "nats"} <= texts
    bare = scatter({"kind": places}, xlabel="", ylabel="", ticks=False)
    assert [e.text for e in ET.fromstring(bare).iter() if e.tag.endswith("text")] == ["kind"]


def test_plots_take_the_page_s_text_colour_and_are_reproducible() -> None:
    draw = lambda: curves([0, 1], {"a <b> $\\broken$": [0, 1]})  # noqa: E731
    svg = draw()
    assert svg == draw()
    assert "currentColor" in svg and "#010203" not in svg and "#000000" not in svg
    assert "a &lt;b&gt; $\\broken$" in svg


def test_labelled_points_have_a_dot_and_a_label_a_point() -> None:
    svg = labelled({"near": (0.0, 1.0), "far": (2.0, 3.0), "middle": (1.0, 2.5)}, xlabel="score", ylabel="accuracy")
    assert all(f">{text}</text>" in svg for text in ("near", "far", "middle", "score", "accuracy"))
    assert len(re.findall(r"<use [^>]*fill: #3d7fc1", svg)) == 3
    assert labelled({"alone": (1.0, 1.0)}, xlabel="score", ylabel="accuracy").startswith("<svg")


def test_histogram_shows_each_label_and_mark() -> None:
    numbers = np.random.default_rng(0).normal(size=500)
    svg = histogram({"a": numbers, "b": numbers + 9}, xlabel="x", marks={"one": 1.0})
    assert svg.count(COLOURS[0].lower()) >= 1 and svg.count(COLOURS[1].lower()) >= 1
    assert ">one<" in svg and ">x<" in svg and ">a<" in svg
