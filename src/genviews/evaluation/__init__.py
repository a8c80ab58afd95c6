"""Protocols: an encoder, a generator or directions, and data, to a table of metrics."""

from .autoencoding import Autoencoding, autoencoding
from .detection import AveragePrecision, Detections, detection, predict
from .directions import Effects, Walks, effects
from .disentanglement import CodeTable, Disentanglement, disentanglement
from .finetuning import finetune
from .generation import Generation, generation
from .probes import check, knn, linear, probe
from .transfer import Transfer, transfer

__all__ = [
    "Autoencoding",
    "AveragePrecision",
    "CodeTable",
    "Detections",
    "Disentanglement",
    "Effects",
    "Generation",
    "Transfer",
    "Walks",
    "autoencoding",
    "check",
    "detection",
    "disentanglement",
    "effects",
    "finetune",
    "generation",
    "knn",
    "linear",
    "predict",
    "probe",
    "transfer",
]
