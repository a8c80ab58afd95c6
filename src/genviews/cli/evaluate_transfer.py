"""`genviews evaluate transfer`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from .. import data as datasets
from .. import devices, encoders, evaluation
from ..checkpoints import write_text
from ..data import BadFile
from ..errors import OptionError
from ..evaluation.transfer import MEAN_PER_CLASS
from ..training import FinetuneOptions


def transfer(
    encoder: Path,
    data: list[str],
    protocol: Literal["linear", "finetune"] = "linear",
    image_size: int | None = None,
    per_class: tuple[str, ...] = MEAN_PER_CLASS,
    out: Path = Path("runs/transfer"),
    resume: bool = False,
    precision: str = "32-true",
    workers: int = 0,
    on_bad_file: BadFile = "error",
    **options: Any,
) -> None:
    """An encoder on a list of data sets: linear probes, or fine-tuning with a small grid, as a table with their average.

    Examples:
      genviews evaluate transfer runs/encoder '[cifar10, cifar100, dtd, pets, flowers102]'
      genviews evaluate transfer runs/encoder '[birds.zip, shoes.npz]' --image_size 96 --per_class '[birds]'
      genviews evaluate transfer runs/encoder '[aircraft, dtd]' --protocol finetune --config recipes/transfer-finetune.yaml

    Args:
        encoder: Folder by `genviews pretrain`, or a file released with COP-Gen, GenRep or DisCo.
        data: A list of data sets by name or path; those of the field must lie in ~/.cache/genviews, where torchvision puts them.
        protocol: "linear" (penalty chosen on the validation part) or "finetune" (learning rate and weight decay chosen there).
        image_size: Side in pixels that the images are loaded at; their own, or 224 of the field's photographs, if not given.
        per_class: The sets, paths by their stem, that are scored by the mean accuracy per class.
        out: Run folder; the table is its table.md, all numbers its results.json, each data set's fine-tuning a folder in it.
        resume: Go on with the run in `out`.
        precision: Of fine-tuning, Lightning's: 32-true, bf16-mixed, 16-mixed.
        workers: Of fine-tuning: loader processes.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    settings = FinetuneOptions(**options)
    splits = {Path(name).stem: datasets.load(name, image_size, on_bad_file=on_bad_file) for name in data}
    if len(splits) < len(data):
        raise OptionError(f"data are {', '.join(data)}, of which two have one name; rename one")
    table = evaluation.transfer(
        encoders.load(encoder).to(devices.best()),
        splits,
        settings if protocol == "finetune" else None,
        per_class=per_class,
        seed=settings.seed,
        out=out,
        resume=resume,
        precision=precision,
        workers=workers,
    )
    write_text(out / "results.json", json.dumps(asdict(table), indent=1) + "\n")
    write_text(out / "table.md", table.markdown() + "\n")
    print(table.markdown())
    print(out)


COMMAND = transfer
