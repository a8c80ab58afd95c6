"""Metrics: arrays in, numbers out."""

from .classification import Classification, few_label
from .knn import knn
from .linear import few_label_probe, linear_probe

__all__ = ["Classification", "few_label", "few_label_probe", "knn", "linear_probe"]
