"""Protocols: an encoder, a generator or directions, and data, to a table of metrics."""

from .detection import AveragePrecision, Detections, detection, predict
from .directions import Effects, Walks, effects
from .disentanglement import CodeTable, Disentanglement, disentanglement
from .finetuning import finetune
from .generation import Generation, generation
from .geometry import Geometry, GeometryOptions, geometry
from .probes import check, knn, linear, probe
from .transfer import Transfer, transfer

__all__ = [
    "AveragePrecision",
    "CodeTable",
    "Detections",
    "Disentanglement",
    "Effects",
    "Generation",
    "Geometry",
    "GeometryOptions",
    "Transfer",
    "Walks",
    "check",
    "detection",
    "disentanglement",
    "effects",
    "finetune",
    "generation",
    "geometry",
    "knn",
    "linear",
    "predict",
    "probe",
    "transfer",
]
