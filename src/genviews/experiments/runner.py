"""Runs a paper's table: cell by cell, on as many devices as there are, going on where it was stopped."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import multiprocessing
from tqdm import tqdm

from .. import runs
from ..checkpoints import read_json, write_text
from ..errors import GenviewsError, OptionError, RunError, require_positive
from ..reports import write_report
from ..reports.figures import save_grid
from ..reports.table import as_csv, as_markdown
from .cache import Cache
from .table import Column, Row, Table


@dataclass(frozen=True)
class Run:
    """A table at a scale, in a folder.

    Attributes:
        name: Of the table, "cop-gen/table3".
        table: The table.
        scale_name: Of the scale.
        scale: The scale, as the user changed it.
        out: Where cells and what they are made of are kept, for all tables; the table's own page is in `folder`.
        command: What repeats the run.
    """

    name: str
    table: Table
    scale_name: str
    scale: Any
    out: Path
    command: str = ""

    @property
    def cache(self) -> Cache:
        return Cache(self.out / "cache")

    @property
    def folder(self) -> Path:
        """results.json, table.md, table.csv and report.html."""
        return self.out / self.name / self.scale_name

    @property
    def cells(self) -> list[tuple[Row, int]]:
        return [(row, seed) for seed in range(self.scale.seeds) for row in self.table.rows]

    @property
    def pending(self) -> list[tuple[Row, int]]:
        """The cells that are not measured yet."""
        return [cell for cell in self.cells if not self.path(*cell).exists()]

    def path(self, row: Row, seed: int) -> Path:
        """Where the numbers of a cell are kept."""
        return self.cache.path("cells", [self.name, row.spec, replace(self.scale, seeds=0), seed]).with_suffix(".json")


def reproduce(run: Run, devices: int = 1) -> dict[str, Any]:
    """Measures the cells of a table that are not measured yet, and writes the table.

    Every process that is given the same folder takes cells that no other has taken: the `devices` processes started here, or
    the tasks of a SLURM job that all run the command.

    Args:
        run: What, how large, where.
        devices: Cells measured side by side, each on its GPU if there are any, else on its share of the processor's threads.

    Returns:
        What results.json holds.

    Raises:
        OptionError: If there are no seeds or no devices.
        RunError: If a process failed; what the others finished is kept.
    """
    require_positive(seeds=run.scale.seeds, devices=devices)
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.cache.root / "cells").mkdir(parents=True, exist_ok=True)
    if devices > 1:
        _side_by_side(run, devices)
    else:
        work(run)
    return write(run)


def work(run: Run) -> None:
    """Takes one cell after the other that is neither measured nor taken, until all are measured."""
    os.environ["SLURM_JOB_NAME"] = "interactive"  # or Lightning takes the tasks of a SLURM job for the ranks of one training
    while pending := run.pending:
        taken = 0
        for row, seed in pending:
            path = run.path(row, seed)
            try:
                with FileLock(f"{path}.lock", timeout=0):
                    if not path.exists():
                        start = time.perf_counter()
                        numbers = run.table.measure(row.spec, run.scale, seed, run.cache)
                        seconds = time.perf_counter() - start
                        write_text(path, json.dumps({"numbers": dict(numbers), "seconds": seconds, **runs.facts()}) + "\n")
                        _picture(run, row)
                        write(run)
                        taken += 1
            except Timeout:
                continue
        if not taken:
            time.sleep(1)


def _picture(run: Run, row: Row) -> None:
    path = run.folder / "images" / f"{row.name}.png"
    if not path.exists() and (images := run.table.picture(row.spec, run.scale, run.cache)) is not None:
        path.parent.mkdir(exist_ok=True)
        save_grid(path, images, len(images))


def _side_by_side(run: Run, devices: int) -> None:
    """As many processes as devices, and one bar for all of them."""
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(torch.cuda.device_count())))).split(",")
    os.environ |= {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // devices)), "TQDM_DISABLE": "1"}
    spawn = multiprocessing.get_context("spawn")
    workers = []
    for device in range(devices):
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[device % len(gpus)]
        workers.append(spawn.Process(target=_worker, args=(run.name, run.scale_name, run.scale, run.out, run.command)))
        workers[-1].start()
    with tqdm(total=len(run.cells), desc=run.name, unit="cell", disable=False) as bar:
        while any(worker.is_alive() for worker in workers):
            bar.update(len(run.cells) - len(run.pending) - bar.n)
            time.sleep(0.5)
        bar.update(len(run.cells) - len(run.pending) - bar.n)
    failed = [worker.exitcode for worker in workers if worker.exitcode]
    if failed and run.pending:
        raise RunError(f"{len(failed)} of {devices} processes failed, see above; the same command goes on with the other cells")


def _worker(name: str, scale_name: str, scale: Any, out: Path, command: str) -> None:
    from . import TABLES

    try:
        work(Run(name, TABLES[name], scale_name, scale, out, command))
    except (GenviewsError, OSError) as error:
        raise SystemExit(f"{name}: {' '.join(str(error).split())}") from None


def write(run: Run) -> dict[str, Any]:
    """Writes results.json, table.md, table.csv and report.html of the cells measured so far."""
    cells, seconds = [], 0.0
    for row, seed in run.cells:
        if (path := run.path(row, seed)).exists():
            measured = read_json(path)
            seconds += measured["seconds"]
            cells += [{"row": row.name, "seed": seed, "probe": c, "value": v} for c, v in measured["numbers"].items()]
    columns = {name: Column(c) if isinstance(c, str) else c for name, c in run.table.columns(run.scale).items()}
    results = {
        "kind": "table",
        "name": run.name,
        "title": run.table.title,
        "source": run.table.source,
        "scale": run.scale_name,
        "command": run.command,
        **runs.facts(),
        "seconds": seconds,
        "rows": [row.name for row in run.table.rows],
        "row_titles": {row.name: row.title for row in run.table.rows},
        "paper": {row.name: dict(row.paper) for row in run.table.rows},
        "claims": list(run.table.claims),
        "probes": list(columns),
        "probe_titles": {name: column.title for name, column in columns.items()},
        "lower_is_better": [name for name, column in columns.items() if column.lower_is_better],
        "not_percent": [name for name, column in columns.items() if not column.percent],
        "pictured": run.table.pictured,
        "notes": list(run.table.notes),
        "config": asdict(run.scale),
        "cells": cells,
    }
    with FileLock(run.folder / ".lock"):
        write_text(run.folder / "results.json", json.dumps(results, indent=1, default=str) + "\n")
        write_text(run.folder / "table.md", as_markdown(results))
        write_text(run.folder / "table.csv", as_csv(results))
        write_report(run.folder)
    return results


def find(name: str, scale: str, tables: Mapping[str, Table]) -> Table:
    """The table of a name, which must have the scale.

    Raises:
        OptionError: If there is no such table or scale.
    """
    if name not in tables:
        raise OptionError(f"table {name!r} is unknown; choose {', '.join(tables)}")
    if scale not in tables[name].scales:
        raise OptionError(f"{name} has no scale {scale!r}; choose {', '.join(tables[name].scales)}")
    return tables[name]
