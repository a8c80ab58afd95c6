"""`genviews evaluate`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from .. import data as datasets
from .. import devices, encoders, evaluation
from ..data import BadFile
from ..metrics import Classification


def _report(result: Classification, out: Path | None) -> None:
    low, high = result.interval
    print(f"top-1 {result.top1:.2%} (95% {low:.2%} to {high:.2%}), top-5 {result.top5:.2%}, {result.n:,} test images")
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(asdict(result), indent=1) + "\n")


def linear(
    encoder: Path,
    data: str,
    labels_per_class: int | None = None,
    protocol: Literal["lbfgs", "sgd"] = "lbfgs",
    lr: float = 2.0,
    seed: int = 0,
    on_bad_file: BadFile = "error",
    out: Path | None = None,
) -> None:
    """A linear classifier on an encoder's frozen features, scored on the test part.

    Examples:
      genviews evaluate linear runs/encoder digits
      genviews evaluate linear runs/encoder mnist --labels_per_class 3

    Args:
        encoder: Folder by `genviews pretrain`.
        data: A data set by name or path.
        labels_per_class: Train on so few, averaged over several draws of them; all if not given.
        protocol: "lbfgs" (regularisation chosen on a held-out part) or "sgd" (the papers': 60 epochs, cosine).
        lr: Of "sgd", for a batch of 256; COP-Gen takes 2 for encoders from synthetic images and 0.3 for those from real ones.
        seed: Of the held-out part and the draws.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
        out: A JSON file for the result, per class too.
    """
    found, splits = encoders.load(encoder).to(devices.best()), datasets.load(data, on_bad_file=on_bad_file)
    result = evaluation.linear(found, splits, labels_per_class=labels_per_class, seed=seed, protocol=protocol, lr=lr)
    _report(result, out)


def knn(
    encoder: Path,
    data: str,
    k: int = 5,
    temperature: float | None = None,
    on_bad_file: BadFile = "error",
    out: Path | None = None,
) -> None:
    """Nearest neighbours in an encoder's feature space, scored on the test part.

    Examples:
      genviews evaluate knn runs/encoder digits
      genviews evaluate knn runs/encoder cifar10 --k 200 --temperature 0.07

    Args:
        encoder: Folder by `genviews pretrain`.
        data: A data set by name or path.
        k: Neighbours.
        temperature: Weigh neighbours by exp(cosine / temperature); a plain vote if not given.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
        out: A JSON file for the result.
    """
    _report(
        evaluation.knn(encoders.load(encoder).to(devices.best()), datasets.load(data, on_bad_file=on_bad_file), k, temperature),
        out,
    )


COMMAND = {"linear": linear, "knn": knn}
