"""Accuracies of rows under probes over seeds, and what they say beyond noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ..errors import RunError

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """The accuracies of the probes that have finished.

    Attributes:
        rows: Row -> its title, in order.
        probes: Probe -> its title, in order.
        cells: (row, probe) -> seed -> metric ("top1", "top5") -> accuracy in [0, 1], NaN if it was not measured; "top1" is the
            `value` of a cell that has one number.
        lower_is_better: Probes whose numbers are better the lower.
        not_percent: Probes whose numbers are no fractions, and shown as they are.
    """

    rows: dict[str, str]
    probes: dict[str, str]
    cells: dict[tuple[str, str], dict[int, dict[str, float]]]
    lower_is_better: frozenset[str] = frozenset()
    not_percent: frozenset[str] = frozenset()

    @classmethod
    def read(cls, results: dict[str, Any], path: Path) -> "Scores":
        """Takes the rows, probes and cells of a run's results, read from `path`.

        Raises:
            RunError: If they are garbled.
        """
        cells: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
        try:
            rows = {row: results.get("row_titles", {}).get(row, row) for row in results["rows"]}
            probes = {probe: results.get("probe_titles", {}).get(probe, probe) for probe in results["probes"]}
            for cell in results["cells"]:
                if cell["row"] not in rows or cell["probe"] not in probes:
                    raise ValueError(f"a cell of row {cell['row']!r}, probe {cell['probe']!r}, which are not listed")
                top5 = math.nan if cell.get("top5") is None else float(cell["top5"])
                cells.setdefault((cell["row"], cell["probe"]), {})[cell["seed"]] = {
                    "top1": float(cell.get("value", cell.get("top1"))),
                    "top5": top5,
                }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RunError(f"{path} holds garbled scores ({error!r}); resume the run to have it written again") from None
        return cls(rows, probes, cells, *(frozenset(results.get(key, ())) for key in ("lower_is_better", "not_percent")))

    def percent(self, row: str, probe: str, metric: str = "top1") -> Values:
        """The numbers as they are shown, in percent unless `not_percent`, (seeds,), of those seeds that have one."""
        values = self._unit(probe) * np.array([cell[metric] for cell in self.cells.get((row, probe), {}).values()])
        return values[np.isfinite(values)]

    def gain(self, row: str, probe: str, baseline: str) -> Values:
        """By how much `row` is better than `baseline`, as they are shown, (seeds,), of those seeds that have both."""
        ours, theirs = self.cells.get((row, probe), {}), self.cells.get((baseline, probe), {})
        return (
            self.sign(probe)
            * self._unit(probe)
            * np.array([ours[seed]["top1"] - theirs[seed]["top1"] for seed in ours if seed in theirs])
        )

    def sign(self, probe: str) -> int:
        """1 where higher is better, else -1."""
        return -1 if probe in self.lower_is_better else 1

    def _unit(self, probe: str) -> int:
        return 1 if probe in self.not_percent else 100


def interval(values: Values) -> tuple[float, float]:
    """The 95% confidence interval of the mean of two values or more, by Student's t."""
    reach = stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / math.sqrt(len(values))
    return values.mean() - reach, values.mean() + reach


def beyond_noise(values: Values) -> bool:
    """Whether `interval` leaves out zero; fewer than two values never are."""
    if len(values) < 2:
        return False
    low, high = interval(values)
    return low > 0 or high < 0


def mean_std(values: Values, sign: bool = False, digits: int = 1) -> str:
    """'91.2 ± 0.4' (ddof 1), '91.2' for one value, a dash for none; with `sign`, '+91.2 ± 0.4'."""
    if not len(values):
        return "\N{EN DASH}"
    mean = signed(values.mean(), digits) if sign else f"{values.mean():.{digits}f}"
    return f"{mean} ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else mean


def signed(value: float, digits: int = 1) -> str:
    """'+1.8', with a typographic minus."""
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def as_text(scores: Scores) -> str:
    """The table as a terminal shows it: a line a row, mean ± std over seeds of the top-1 accuracy in percent."""
    lines = [["top-1, %", *scores.probes.values()]]
    lines += [[title, *(mean_std(scores.percent(row, probe)) for probe in scores.probes)] for row, title in scores.rows.items()]
    return aligned(lines)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as columns of text."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
