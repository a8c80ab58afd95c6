"""`genviews quickstart`."""

import shlex
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from .. import data as datasets
from .. import generators
from ..data import BadFile
from ..experiments import ComparisonOptions, compare_positives
from ..reports.scores import Scores, as_text
from ..training import train_generator


def quickstart(
    data: str = "digits",
    generator: str | None = None,
    out: Path = Path("runs/quickstart"),
    resume: bool = False,
    on_bad_file: BadFile = "error",
    **options: Any,
) -> None:
    """The main job: trains a COP-Gen navigator, renders pairs, pretrains an encoder a row and seed, probes each, shows it all.

    Prints the table and writes report.html (a page of pictures), results.json (every cell) and the trained models.

    Examples:
      genviews quickstart
      genviews quickstart --data mnist --generator G.pt --pairs 20000
      genviews quickstart --rows '[real, none, "gaussian:0.1", untrained, cop-gen, cop-gen@none]' --seeds 5
      genviews quickstart --data photos/ --encoder.backbone resnet18-cifar --encoder.steps 5000

    Args:
        data: "digits" (built in), "mnist", "fashion-mnist", "cifar10", "cifar100", an npz file or an image folder.
        generator: A built-in name, a checkpoint file or a folder; without one, digits come with a flow, and on other data a VAE
            of 32 px is trained first.
        out: Run folder.
        resume: Go on with the run in `out`.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    start = time.perf_counter()
    if generator is None and data != "digits":
        splits = datasets.load(data, 32, on_bad_file=on_bad_file)
        found = train_generator("burgess_vae", splits.train, out=out / "generator", resume=True, architecture={"latent_dim": 32})
    else:
        found = generators.load(generator or "digits-flow")
        splits = datasets.load(data, found.image_shape[-1], on_bad_file=on_bad_file)
    results = compare_positives(
        found,
        splits,
        ComparisonOptions(**options),
        out,
        title=f"COP-Gen on {Path(data).stem}",
        command=shlex.join(["genviews", *sys.argv[1:]]),
        notes=[f"{len(splits.train):,} training and {len(splits.test):,} test images; G is {generator or type(found).__name__}."],
    )
    print(as_text(Scores.read(results, out / "results.json")))
    print(f"{timedelta(seconds=round(time.perf_counter() - start))} in all; {out / 'report.html'}")


COMMAND = quickstart
