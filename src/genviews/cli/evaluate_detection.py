"""`genviews evaluate detection`."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from .. import devices, encoders, evaluation, runs
from ..checkpoints import write_text
from ..data import voc
from ..encoders import Encoder
from ..reports import save_detections, write_report
from ..training import DetectorOptions, train_detector


def detection(
    encoder: Path,
    data: Path,
    out: Path = Path("runs/detection"),
    resume: bool = False,
    scratch: bool = False,
    precision: str = "32-true",
    workers: int = 0,
    checkpoint_every: int = 200,
    log_every: int = 10,
    **options: Any,
) -> None:
    """Fine-tunes an encoder as a Faster R-CNN on images with boxes; average precision on the test part.

    Examples:
      genviews evaluate detection runs/encoder cells/ --out runs/cells
      genviews evaluate detection runs/encoder cells.zip --scratch true --out runs/cells-from-scratch
      genviews evaluate detection runs/encoder VOCdevkit/ --config recipes/voc-detection.yaml

    Args:
        encoder: Folder by `genviews pretrain`, or a file released with COP-Gen or GenRep; of a ResNet or conv-small.
        data: Pascal VOC's folder (VOC2007 and VOC2012, or any of JPEGImages and Annotations), or a zip archive.
        out: Run folder, of results.json, report.html, images/detections.png and the detector.
        resume: Go on with the run in `out`.
        scratch: Start from random weights of the same backbone, for comparison.
        precision: Lightning's: 32-true, bf16-mixed, 16-mixed.
        workers: Loader processes.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between rows of metrics.csv.
    """
    found = encoders.load(encoder)
    train, test = voc(data)
    settings = DetectorOptions(**options)
    model = train_detector(
        _untrained(found, settings.seed) if scratch else found,
        train,
        settings,
        out,
        resume,
        precision=precision,
        workers=workers,
        checkpoint_every=checkpoint_every,
        log_every=log_every,
    )
    start = time.perf_counter()
    predictions = evaluation.predict(model.to(devices.best()), test)
    result = evaluation.detection(predictions, test)
    results = {
        "kind": "detection",
        "encoder": str(encoder),
        "scratch": scratch,
        "backbone": found.config["backbone"],
        "data": str(data),
        "training_images": len(train),
        "steps": settings.steps,
        "evaluation_seconds": time.perf_counter() - start,
        **asdict(result),
        **runs.facts(),
    }
    write_text(out / "results.json", json.dumps(results, indent=1) + "\n")
    save_detections(out / "images" / "detections.png", predictions, test)
    for name, score in {"mean": result.mean, **result.classes}.items():
        print(f"{name:<16}AP {score.ap:.1%}, AP50 {score.ap50:.1%}, AP75 {score.ap75:.1%}")
    print(f"{result.boxes:,} boxes in {result.images:,} test images", write_report(out), out, sep="\n")


def _untrained(encoder: Encoder, seed: int) -> Encoder:
    """Its like, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(**encoder.config)


COMMAND = detection
