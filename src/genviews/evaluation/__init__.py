"""Protocols: an encoder, a generator or directions, and data, to a table of metrics."""

from .detection import AveragePrecision, Detections, detection, predict
from .directions import Effects, Walks, effects
from .disentanglement import CodeTable, Disentanglement, disentanglement
from .finetuning import finetune
from .generation import Generation, generation
from .ood import OutOfDistribution, ood
from .probes import check, knn, linear, probe
from .transfer import Transfer, transfer
from .zoo import Zoo, ZooOptions, encode, zoo

__all__ = [
    "AveragePrecision",
    "CodeTable",
    "Detections",
    "Disentanglement",
    "Effects",
    "Generation",
    "OutOfDistribution",
    "Transfer",
    "Walks",
    "Zoo",
    "ZooOptions",
    "check",
    "detection",
    "disentanglement",
    "effects",
    "encode",
    "finetune",
    "generation",
    "knn",
    "linear",
    "ood",
    "predict",
    "probe",
    "transfer",
    "zoo",
]
