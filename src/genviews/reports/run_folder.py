"""Reads what a run has written so far."""

import csv
import json
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RunError


def read_results(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    """Reads results.json.

    Args:
        path: The file.
        keys: What it must hold.

    Raises:
        RunError: If the file is missing, is not a JSON object, or lacks one of `keys`.
    """
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{path} is missing; give the folder of a run that has written its first results") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); resume the run to have it written again") from None
    lacking = [key for key in keys if key not in results] if isinstance(results, dict) else keys
    if lacking:
        raise RunError(f"{path} lacks {', '.join(map(repr, lacking))}; resume the run to have it written again")
    return results


def read_metrics(path: Path) -> dict[str, NDArray[np.float64]]:
    """Reads a metrics.csv: column -> values (n,), blank cells as NaN; empty if there is no such file yet.

    Raises:
        RunError: If a cell is not a number, or there are rows but no column "step".
    """
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        columns = {name: np.array([float(row[name] or math.nan) for row in rows]) for name in (rows[0] if rows else ())}
    except (TypeError, ValueError) as error:
        raise RunError(f"{path} holds a cell that is not a number ({error}); resume the run to have it written again") from None
    if rows and "step" not in columns:
        raise RunError(f"{path} has no column 'step'; its columns are {', '.join(columns)}")
    return columns


def read_pictures(path: Path) -> dict[str, NDArray]:
    """Reads the arrays of an .npz file, never unpickling; empty if there is no such file yet.

    Raises:
        RunError: If the file cannot be read.
    """
    if not path.exists():
        return {}
    try:
        with np.load(path) as file:
            return dict(file)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise RunError(f"{path} cannot be read ({error}); resume the run to have it written again") from None
