"""`genviews navigator`."""

from pathlib import Path
from typing import Any

from .. import generators
from ..training import NavigatorOptions, train_navigator


def train(generator: str, out: Path = Path("runs/navigator"), resume: bool = False, **options: Any) -> None:
    """Trains a navigator T_z from a generator alone: optimal positives against a mutual-information estimator (COP-Gen).

    Examples:
      genviews navigator train digits-flow --augmentation mnist --image_size 16
      genviews navigator train G.pt --delta 0.3 --on_violation project --steps 2000

    Args:
        generator: A built-in name, a checkpoint file or a folder.
        out: Run folder; the navigator is its model.safetensors and model.json.
        resume: Go on with the run in `out`.
    """
    run = train_navigator(generators.load(generator), NavigatorOptions(**options), out=out, resume=resume)
    print(f"{out}: the navigator of step {run.best_step}; training ended at step {run.steps} because {run.reason}")


COMMAND = {"train": train}
