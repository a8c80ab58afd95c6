"""Protocols: an encoder, a generator or directions, and data, to a table of metrics."""

from .detection import AveragePrecision, Detections, detection, predict
from .finetuning import finetune
from .generation import Generation, generation
from .probes import check, knn, linear, probe
from .transfer import Transfer, transfer

__all__ = [
    "AveragePrecision",
    "Detections",
    "Generation",
    "Transfer",
    "check",
    "detection",
    "finetune",
    "generation",
    "knn",
    "linear",
    "predict",
    "probe",
    "transfer",
]
