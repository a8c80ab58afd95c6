"""Metrics: arrays in, numbers out."""

from .classification import Classification, few_label
from .generation import Estimate, FeatureStatistics, feature_statistics, fid, inception_score, precision_recall
from .knn import knn, nearest
from .linear import few_label_probe, linear_probe

__all__ = [
    "Classification",
    "Estimate",
    "FeatureStatistics",
    "feature_statistics",
    "few_label",
    "few_label_probe",
    "fid",
    "inception_score",
    "knn",
    "linear_probe",
    "nearest",
    "precision_recall",
]
