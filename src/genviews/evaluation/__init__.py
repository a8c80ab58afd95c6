"""Protocols: an encoder, a generator or directions, and data, to a table of metrics."""

from .detection import AveragePrecision, Detections, detection, predict
from .directions import Effects, Walks, effects
from .disentanglement import CodeTable, Disentanglement, disentanglement
from .finetuning import finetune
from .generation import Generation, generation
from .information import Information, Kind, correlations, mutual_information
from .probes import check, knn, linear, probe
from .transfer import Transfer, transfer

__all__ = [
    "AveragePrecision",
    "CodeTable",
    "Detections",
    "Disentanglement",
    "Effects",
    "Generation",
    "Information",
    "Kind",
    "Transfer",
    "Walks",
    "check",
    "correlations",
    "detection",
    "disentanglement",
    "effects",
    "finetune",
    "generation",
    "knn",
    "linear",
    "mutual_information",
    "predict",
    "probe",
    "transfer",
]
