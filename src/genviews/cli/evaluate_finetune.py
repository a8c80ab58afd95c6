"""`genviews evaluate finetune`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import data as datasets
from .. import encoders, evaluation
from ..checkpoints import write_text
from ..data import BadFile
from ..training import FinetuneOptions


def finetune(
    encoder: Path,
    data: str,
    fraction: float | None = None,
    labels_per_class: int | None = None,
    image_size: int | None = None,
    out: Path = Path("runs/finetune"),
    resume: bool = False,
    precision: str = "32-true",
    workers: int = 0,
    on_bad_file: BadFile = "error",
    **options: Any,
) -> None:
    """Trains a whole encoder and a new linear head on all or a few of the labels, scored once on the test part.

    Examples:
      genviews evaluate finetune runs/encoder cifar10 --fraction 0.01
      genviews evaluate finetune runs/encoder flowers.zip --image_size 96 --steps 1000 --lr '[0.003, 0.03]'

    Args:
        encoder: Folder by `genviews pretrain`, or a file released with COP-Gen, GenRep or DisCo.
        data: A data set by name or path.
        fraction: Label this fraction of each class, such as 0.01 or 0.1, at least one image; all if not given.
        labels_per_class: Label so many of each class instead.
        image_size: Side in pixels that the images are loaded at; their own if not given.
        out: Run folder; the result is its results.json, the classifier its model.safetensors and model.json.
        resume: Go on with the run in `out`.
        precision: Lightning's: 32-true, bf16-mixed, 16-mixed.
        workers: Loader processes.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    result = evaluation.finetune(
        encoders.load(encoder),
        datasets.load(data, image_size, on_bad_file=on_bad_file),
        FinetuneOptions(**options),
        fraction=fraction,
        labels_per_class=labels_per_class,
        out=out,
        resume=resume,
        precision=precision,
        workers=workers,
    )
    write_text(out / "results.json", json.dumps(asdict(result), indent=1) + "\n")
    chosen = f"lr {result.settings['lr']:g}, weight decay {result.settings['weight_decay']:g}"
    print(f"top-1 {result.top1:.2%} with {result.settings['labelled']:,} labels ({chosen}), {result.n:,} test images")
    print(out)


COMMAND = finetune
