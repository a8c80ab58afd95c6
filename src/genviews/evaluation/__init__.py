"""Protocols: an encoder, a generator or directions, and data, to a table of metrics."""

from .features import extract
from .probes import knn, linear, probe

__all__ = ["extract", "knn", "linear", "probe"]
