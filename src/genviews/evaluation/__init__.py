"""Protocols: an encoder, a generator or directions, and data, to a table of metrics."""

from .autoencoding import Autoencoding, autoencoding
from .detection import AveragePrecision, Detections, detection, predict
from .directions import Effects, Walks, effects
from .disentanglement import CodeTable, Disentanglement, disentanglement
from .finetuning import finetune
from .generation import Generation, generation
from .geometry import Geometry, GeometryOptions, geometry
from .information import Information, Kind, correlations, mutual_information
from .ood import OutOfDistribution, ood
from .probes import check, knn, linear, probe
from .transfer import Transfer, transfer
from .zoo import Zoo, ZooOptions, encode, zoo

__all__ = [
    "Autoencoding",
    "AveragePrecision",
    "CodeTable",
    "Detections",
    "Disentanglement",
    "Effects",
    "Generation",
    "Geometry",
    "GeometryOptions",
    "Information",
    "Kind",
    "OutOfDistribution",
    "Transfer",
    "Walks",
    "Zoo",
    "ZooOptions",
    "autoencoding",
    "check",
    "correlations",
    "detection",
    "disentanglement",
    "effects",
    "encode",
    "finetune",
    "generation",
    "geometry",
    "knn",
    "linear",
    "mutual_information",
    "ood",
    "predict",
    "probe",
    "transfer",
    "zoo",
]
