"""Pictures: sheets of images as arrays, plots as SVG that takes its page's colours."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.stats import gaussian_kde
from torch import Tensor

from ..errors import ShapeError

COLOURS = ("#3D7FC1", "#D9622B", "#2E9A6B", "#A0559F", "#B8860B", "#8A8F98")
"""Okabe and Ito's colour-blind safe hues, at a lightness with contrast above 3 on white and on black."""

VIOLIN = 5
"""Values that a density is estimated from, at least."""

_INK = "#010203"  # stands for the page's text colour until the SVG is written
_STYLE: Any = {
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "grid.alpha": 0.15,
    "grid.color": _INK,
    "legend.columnspacing": 1.2,
    "legend.frameon": False,
    "legend.handlelength": 1.2,
    "svg.fonttype": "none",
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "ytick.left": False,
}


def grid(images: Tensor | NDArray, columns: int, pad: int = 1) -> NDArray[np.uint8]:
    """Lays images out in rows, from left to right.

    Args:
        images: (N, C, H, W) with C 1 (grey) or 3 (RGB); uint8, or float nominally in [0, 1] (clamped and rounded).
        columns: Images a row.
        pad: Pixels between neighbours, transparent, so that a sheet sits on any background.

    Returns:
        uint8 RGBA (rows * (H + pad) - pad, columns * (W + pad) - pad, 4).

    Raises:
        ShapeError: If there are no images or they are not (N, 1 or 3, H, W).
    """
    images = torch.as_tensor(images)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not len(images):
        raise ShapeError(f"a grid takes images (N, 1 or 3, H, W) with N > 0, got {tuple(images.shape)}")
    if images.is_floating_point():
        images = (images.detach().clamp(0, 1) * 255).round().byte()
    n, _, height, width = images.shape
    rows = -(-n // columns)
    cells = np.zeros((rows * columns, height + pad, width + pad, 4), np.uint8)
    cells[:n, :height, :width, :3] = images.permute(0, 2, 3, 1).cpu().numpy()
    cells[:n, :height, :width, 3] = 255
    sheet = cells.reshape(rows, columns, height + pad, width + pad, 4).swapaxes(1, 2)
    sheet = sheet.reshape(rows * (height + pad), columns * (width + pad), 4)
    return sheet[: sheet.shape[0] - pad, : sheet.shape[1] - pad]


def save_grid(path: Path, images: Tensor | NDArray, columns: int, pad: int = 1) -> None:
    """Writes `grid(images, columns, pad)` as the PNG file `path`."""
    Image.fromarray(grid(images, columns, pad)).save(path, format="PNG", optimize=True)


def curves(
    x: ArrayLike, series: Mapping[str, ArrayLike], *, xlabel: str = "step", marks: Mapping[str, float] | None = None
) -> str:
    """Draws lines over a common axis.

    Args:
        x: (n,).
        series: Label -> values (n,); points that are NaN are left out.
        xlabel: What x is.
        marks: Label -> x of a vertical line.

    Returns:
        An SVG element.
    """
    x = np.asarray(x, float)

    def draw(axes: Axes) -> None:
        for (label, values), colour in zip(series.items(), cycle(COLOURS), strict=False):
            y = np.asarray(values, float)
            seen = np.isfinite(y)
            axes.plot(x[seen], y[seen], color=colour, label=label, linewidth=1.6, marker="o" if seen.sum() == 1 else "")
        middle = np.mean(axes.get_xlim())
        for row, (label, at) in enumerate((marks or {}).items()):
            axes.axvline(at, color=_INK, alpha=0.6, linewidth=1, linestyle=(":", "--")[row % 2])
            side = "right" if at > middle else "left"
            axes.annotate(label, (at, 1), (0, 3 + 12 * row), axes.get_xaxis_transform(), "offset points", ha=side)
        axes.set_xlabel(xlabel)
        axes.grid(axis="y")
        axes.figure.legend(loc="outside lower left", ncols=3)

    return _svg(draw, (3.4, 2.5), salt=str(list(series)))


def error_bars(values: Mapping[str, NDArray[np.float64]], *, xlabel: str) -> str:
    """Draws one line a label: a dot for each value, and their mean with a bar of one standard deviation (ddof 1) to each side.

    Behind `VIOLIN` values or more stands a violin, their density as a Gaussian kernel (Scott's rule) estimates it.

    Args:
        values: Label -> values (n,), from top to bottom.
        xlabel: What the values are.

    Returns:
        An SVG element.
    """

    def draw(axes: Axes) -> None:
        for row, (points, colour) in enumerate(zip(values.values(), cycle(COLOURS), strict=False)):
            mean, std = points.mean(), points.std(ddof=1) if len(points) > 1 else None
            if len(points) >= VIOLIN and np.ptp(points) > 0:
                x = np.linspace(points.min(), points.max(), 100)
                density = gaussian_kde(points)(x)
                reach = 0.4 * density / density.max()
                axes.fill_between(x, row - reach, row + reach, color=colour, alpha=0.2, linewidth=0)
            axes.errorbar(mean, row, xerr=std, color=colour, marker="o", markersize=6, capsize=3, linewidth=2)
            axes.annotate(f"{mean:.1f}", (mean, row), (0, 6), textcoords="offset points", ha="center")
            below = row + 0.2 + 0.3 * np.arange(len(points)) / len(points)
            axes.scatter(points, below, s=10, color=colour, linewidth=0)
        axes.set_yticks(range(len(values)), [fill(label, 20) for label in values])
        axes.set_ylim(len(values) - 0.4, -0.6)
        axes.locator_params(axis="x", nbins=4)
        axes.set_xlabel(xlabel)
        axes.grid(axis="x")

    return _svg(draw, (3.4, 0.6 + 0.55 * len(values)), salt=xlabel + str(dict(values)))


def histogram(values: Mapping[str, NDArray], *, xlabel: str, marks: Mapping[str, float] | None = None) -> str:
    """Draws how numbers are distributed, over common bins.

    Args:
        values: Label -> numbers (n,).
        xlabel: What they are.
        marks: Label -> x of a vertical line.

    Returns:
        An SVG element.
    """
    bins = np.histogram_bin_edges(np.concatenate([*values.values()]), bins=40).tolist()

    def draw(axes: Axes) -> None:
        for (label, numbers), colour in zip(values.items(), cycle(COLOURS), strict=False):
            axes.hist(numbers, bins, density=True, color=colour, alpha=0.6, label=label)
        for label, at in (marks or {}).items():
            axes.axvline(at, color=_INK, alpha=0.6, linewidth=1, linestyle=":")
            axes.annotate(label, (at, 1), (3, 3), axes.get_xaxis_transform(), "offset points")
        axes.set_xlabel(xlabel)
        axes.set_yticks([])
        if len(values) > 1:
            axes.figure.legend(loc="outside lower left", ncols=3)

    return _svg(draw, (3.4, 2.2), salt=xlabel + str(list(values)) + str(bins))


def intervals(x: ArrayLike, series: Mapping[str, ArrayLike], *, xlabel: str) -> str:
    """Draws lines with a dot at each x and a band between their lower and upper ends.

    Args:
        x: (n,).
        series: Label -> middle, lower and upper values (n, 3); NaN ends leave out the band.
        xlabel: What x is.

    Returns:
        An SVG element.
    """
    x = np.asarray(x, float)

    def draw(axes: Axes) -> None:
        for (label, values), colour in zip(series.items(), cycle(COLOURS), strict=False):
            middle, low, high = np.asarray(values, float).T
            axes.plot(x, middle, color=colour, label=label, linewidth=1.6, marker="o", markersize=4)
            axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set_xlabel(xlabel)
        axes.grid(axis="y")
        axes.figure.legend(loc="outside lower left", ncols=3)

    return _svg(draw, (3.4, 2.5), salt=xlabel + str(list(series)))


def save_animation(path: Path, frames: Tensor, columns: int, pad: int = 1, milliseconds: int = 90) -> None:
    """Writes a GIF of 64 colours that moves there and back again, for ever.

    Args:
        path: The file.
        frames: (T, N, C, H, W), T > 1 times the N images of a `grid`.
        columns: Of the grid.
        pad: Of the grid, black.
        milliseconds: A frame.
    """
    there = [Image.fromarray(grid(images, columns, pad)[..., :3]).quantize(64) for images in frames]
    first, *rest = there + there[-2:0:-1]
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)


def heat_map(values: NDArray, rows: Sequence[str], columns: Sequence[str], *, xlabel: str, ylabel: str = "") -> str:
    """Draws a matrix of numbers from 0, which is the page's colour, to 1.

    Args:
        values: (R, C).
        rows: A label for each of equally many rows, from top to bottom.
        columns: A label for each of equally many columns, from left to right; empty for none.
        xlabel: What the columns are.
        ylabel: What the rows are.

    Returns:
        An SVG element.
    """
    pixels = np.broadcast_to(to_rgba(COLOURS[0]), (*values.shape, 4)).copy()
    pixels[..., 3] = values.clip(0, 1)

    def draw(axes: Axes) -> None:
        axes.imshow(pixels, interpolation="none", aspect="auto")
        for axis, labels, length in ((axes.yaxis, rows, len(values)), (axes.xaxis, columns, values.shape[1])):
            axis.set_ticks((np.arange(len(labels)) + 0.5) * length / max(1, len(labels)) - 0.5, labels)
            axis.set_tick_params(length=0)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.spines[:].set_visible(True)
        axes.spines[:].set_alpha(0.2)

    return _svg(draw, (3.4, 3.4), salt=xlabel + str(values.sum()))


def cloud(points: NDArray, colours: NDArray, labels: Sequence[str]) -> str:
    """Draws points in space.

    Args:
        points: (n, 3).
        colours: (n,) in [0, 1], from blue to orange.
        labels: Of the three axes.

    Returns:
        An SVG element.
    """
    scale = LinearSegmentedColormap.from_list("blue to orange", COLOURS[:2])

    def draw(axes: Any) -> None:
        axes.scatter(*points.T, c=scale(colours), s=14, linewidth=0, depthshade=False)
        for axis, label in zip((axes.xaxis, axes.yaxis, axes.zaxis), labels, strict=True):
            axis.set_label_text(label)
            axis.set_ticks([])
            axis.pane.set(facecolor="none", edgecolor=COLOURS[-1], linewidth=0.6, alpha=1)
            axis.labelpad = -12
        axes.set_box_aspect((1, 1, 1), zoom=0.95)

    return _svg(draw, (3.4, 3.2), salt=str(labels) + str(colours), projection="3d")


def _svg(draw: Callable[[Any], None], size: tuple[float, float], salt: str, projection: str | None = None) -> str:
    """The SVG element of what `draw` puts on axes of `size` inches; `salt` keeps its ids apart from those of other plots."""
    with rc_context({**_STYLE, "svg.hashsalt": salt}), io.StringIO() as file:
        figure = Figure(size, layout="constrained")
        draw(figure.subplots(subplot_kw={"projection": projection}))
        figure.savefig(file, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
        svg = file.getvalue()
    svg = re.sub(r"<!--.*?-->|<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return re.sub(r'<g id="[^"]*"', "<g", svg).replace(_INK, "currentColor")
