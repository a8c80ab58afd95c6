"""`genviews evaluate zoo`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .. import data as datasets
from .. import devices, evaluation, runs
from .. import encoders as models
from ..checkpoints import write_text
from ..data import BadFile
from ..encoders import Encoder
from ..errors import OptionError
from ..evaluation import ZooOptions
from ..reports import write_report
from ..reports.zoo import as_text


def zoo(
    encoders: list[str] | str,
    data: str,
    image_size: int | None = None,
    out: Path = Path("runs/zoo"),
    resume: bool = False,
    on_bad_file: BadFile = "error",
    **options: Any,
) -> None:
    """Ranks encoders for domains that are not labelled, and puts the features of the best together (ZooD).

    Each domain is held out in turn. By the others alone encoders are ranked (leave-one-domain-out evidence and stability), the
    features of the best put together, and informative ones selected; a linear head on them is tested on the domain held out.

    Examples:
      genviews evaluate zoo runs/encoders PACS/
      genviews evaluate zoo '[runs/simclr, runs/moco, resnet18]' pacs.npz --top 2
      genviews evaluate zoo '[runs/moco, resnet50.a1_in1k, vit_small_patch16_224.dino]' OfficeHome/ --image_size 224

    Args:
        encoders: A list of folders by `genviews pretrain`, released files and timm names; or a folder of such folders. A timm
            model has its published weights where Hugging Face's cache holds them, else random ones; nothing is downloaded.
        data: Images of three domains or more: a folder ROOT/DOMAIN/CLASS/*.jpg, a zip archive of one, or an npz file of images,
            labels and domains.
        image_size: Side in pixels that images are loaded at for encoders of no size of their own; the images' if not given.
        out: Run folder; all numbers are its results.json, the table its table.md, a page its report.html, the features in it are
            extracted once.
        resume: Go on with the run in `out`.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    settings = ZooOptions(**options)
    images = datasets.domains(data, image_size, on_bad_file=on_bad_file)
    features, about = {}, {}
    for name, source in tqdm(_named(encoders).items(), "encoders", delay=2, leave=False, disable=None):
        encoder, weights = _opened(source)
        features[name] = evaluation.encode(name, encoder, images, out / "features", devices.best())
        about[name] = {"source": source, "weights": weights, "features": features[name].shape[1]}
    found = evaluation.zoo(features, images, settings)
    results = {"kind": "zoo", "data": data, "encoders": about, **runs.facts(), **asdict(found)}
    write_text(out / "results.json", json.dumps(results, indent=1) + "\n")
    write_text(out / "table.md", as_text(results) + "\n")
    write_report(out)
    print(as_text(results))
    print(out / "report.html")


def _named(encoders: Sequence[str] | str) -> dict[str, str]:
    """Name -> path or timm name; of one folder, the folders of encoders in it."""
    if isinstance(encoders, str):
        folder = Path(encoders)
        found = sorted(path.parent for path in folder.glob("*/model.json"))
        if not found:
            raise OptionError(f"{encoders} holds no folders of encoders; give such a folder, or a list '[runs/a, resnet18]'")
        return {path.name: str(path) for path in found}
    named = {Path(source).name: source for source in encoders}
    if len(named) < len(encoders):
        raise OptionError(f"encoders are {', '.join(encoders)}, of which two have one name; rename one")
    return named


def _opened(source: str) -> tuple[Encoder, str]:
    """An encoder, and whose weights it has."""
    if Path(source).exists():
        return models.load(source), "its own"
    encoder, found = models.published(source)
    return encoder, "published" if found else "random"


COMMAND = zoo
