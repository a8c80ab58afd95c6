"""`genviews evaluate ood`."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from .. import data as datasets
from .. import devices, encoders, evaluation, runs
from ..checkpoints import write_text
from ..data import BadFile
from ..errors import OptionError
from ..reports import write_report
from ..training import FinetuneOptions


def ood(
    encoder: Path,
    data: str,
    protocol: Literal["linear", "finetune"] = "linear",
    trials: int = 3,
    image_size: int | None = None,
    out: Path = Path("runs/ood"),
    resume: bool = False,
    precision: str = "32-true",
    workers: int = 0,
    on_bad_file: BadFile = "error",
    **options: Any,
) -> None:
    """An encoder out of distribution: each domain of the data is left out in turn and classified by what the others teach.

    As DomainBed does it: a fifth of each training domain chooses the settings, and trials differ in which fifth.

    Examples:
      genviews evaluate ood runs/encoder PACS/
      genviews evaluate ood runs/encoder pacs.npz --trials 5 --out runs/ood-pacs
      genviews evaluate ood runs/encoder OfficeHome/ --image_size 224 --protocol finetune --steps 5000 --lr '[0.001, 0.01]'

    Args:
        encoder: Folder by `genviews pretrain`, or a file released with COP-Gen, GenRep or DisCo.
        data: Images of several domains: a folder ROOT/DOMAIN/CLASS/*.jpg, a zip archive of one, or an npz file of images, labels
            and domains.
        protocol: "linear" (a linear head on frozen features) or "finetune" (the whole encoder, learning rate and weight decay
            chosen as well).
        trials: Splits of the training domains.
        image_size: Side in pixels that the images are loaded at; their own if not given.
        out: Run folder; the table is its table.md, all numbers its results.json, a page its report.html.
        resume: Go on with the run in `out`.
        precision: Of fine-tuning, Lightning's: 32-true, bf16-mixed, 16-mixed.
        workers: Of fine-tuning: loader processes.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    settings = FinetuneOptions(**options)
    given, default = (json.dumps(asdict(replace(one, seed=0))) for one in (settings, FinetuneOptions()))
    if protocol == "linear" and given != default:
        raise OptionError("protocol is 'linear', which takes no options of fine-tuning but the seed; add --protocol finetune")
    table = evaluation.ood(
        encoders.load(encoder).to(devices.best()),
        datasets.domains(data, image_size, on_bad_file=on_bad_file),
        settings if protocol == "finetune" else None,
        trials=trials,
        seed=settings.seed,
        out=out,
        resume=resume,
        precision=precision,
        workers=workers,
    )
    facts = {"kind": "ood", "encoder": str(encoder), "data": data, "protocol": protocol, **runs.facts()}
    write_text(out / "results.json", json.dumps(facts | asdict(table), indent=1) + "\n")
    write_text(out / "table.md", table.markdown() + "\n")
    write_report(out)
    print(table.markdown())
    print(out / "report.html")


COMMAND = ood
