"""What a paper's table is: rows, columns, the paper's numbers, and the scales it runs at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .cache import Cache


@dataclass(frozen=True)
class Column:
    """What a number of each row is, where it is no fraction in [0, 1] that is better the higher.

    Attributes:
        title: As the reader sees it.
        lower_is_better: As of an FID.
        percent: Whether it is a fraction, shown in percent; otherwise shown as it is.
    """

    title: str
    lower_is_better: bool = False
    percent: bool = True


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes:
        name: Short, for files and the command line.
        title: As the reader sees it.
        spec: What the table's `measure` makes of it.
        paper: Column -> the paper's number, in percent unless the column is otherwise, of those it reports.
    """

    name: str
    title: str
    spec: Any
    paper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table to reproduce.

    Attributes:
        title: What it compares.
        source: Paper, table, and the setting its numbers are of.
        columns: scale -> name -> each number of a row: the title of a fraction in [0, 1], higher for better, or a `Column`.
        rows: In the paper's order.
        scales: Name -> how large, where and how long, with `seeds`, how many.
        measure: (spec, scale, seed, cache) -> column -> number.
        picture: (spec, scale, cache) -> images (N, C, H, W) in [0, 1] that show what a row is, or None.
        pictured: What those images show.
        claims: Rows of which the paper says, without two numbers, that the first is ahead of the second.
        notes: What to know about it.
    """

    title: str
    source: str
    columns: Callable[[Any], Mapping[str, str | Column]]
    rows: Sequence[Row]
    scales: Mapping[str, Any]
    measure: Callable[[Any, Any, int, Cache], Mapping[str, float]]
    picture: Callable[[Any, Any, Cache], Tensor | None] = lambda spec, scale, cache: None
    pictured: str = "Anchors beside their positives, before augmentation."
    claims: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
