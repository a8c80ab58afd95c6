"""`genviews reproduce`."""

import shlex
import sys
from pathlib import Path
from typing import Any

from ..reports.table import as_text
from .changes import changed, given


def reproduce(
    table: str,
    scale: str = "small",
    out: Path = Path("runs/reproduce"),
    data: str | None = None,
    generator: str | None = None,
    seeds: int | None = None,
    devices: int = 1,
    settings: dict[str, Any] | None = None,
) -> None:
    """Runs a table of a paper: our mean and std over seeds beside the paper's numbers, and whether its ordering appears.

    What is measured already is not measured again, nor trained again what another table trained: the same command goes on after
    a kill; take another `out` where a file has changed under its name. Processes that share `out` share the cells: under SLURM,
    `srun --ntasks 8 --gpus-per-task 1 genviews reproduce ...` does.

    Examples:
      genviews reproduce cop-gen/table1
      genviews reproduce cop-gen/table3 --data fashion_mnist.npz --devices 2
      genviews reproduce cop-gen/table9 --generator runs/mnist-residual-flow --seeds 5
      genviews reproduce cop-gen/table2 --settings.transfer '[cifar10, dtd, shoes.zip]' --settings.encoder.steps 400
      genviews reproduce distance/zoo --data pacs.npz
      genviews reproduce disco/table1 --devices 2 --settings.methods.disco.steps 1000
      genviews reproduce distance/table2 --data fashion_mnist.npz --settings.weaken.amount 0.2
      genviews reproduce cop-gen/table1 --scale paper --data imagenet/ --generator BigBiGAN_x1.pth --devices 8

    Args:
        table: Of the papers' tables; a wrong name lists them.
        scale: "smoke" (seconds, says that it runs), "small" (two cores, half an hour) or "paper" (its own setting).
        out: Where cells and tables are kept, for all tables.
        data: Images by name or path; the scale's if not given.
        generator: A built-in name, a checkpoint file or a folder; the scale's if not given. DisCo's tables, which have several,
            take `--settings.generators.gan G.pt` instead.
        seeds: How many; the scale's if not given.
        devices: Cells measured side by side, each on its GPU, or on its share of the processor.
        settings: Other changes of the scale, by the names in its results.json: `--settings.encoder.steps 400`.
    """
    from ..experiments import TABLES, Run  # takes seconds
    from ..experiments import reproduce as run_table
    from ..experiments.runner import find

    found = find(table, scale, TABLES)
    changes = given(data=data, generator=generator, seeds=seeds) | (settings or {})
    run = Run(table, found, scale, changed(found.scales[scale], changes), out, shlex.join(["genviews", *sys.argv[1:]]))
    print(as_text(run_table(run, devices)))
    print(run.folder / "report.html")


COMMAND = reproduce
