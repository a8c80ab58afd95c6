"""Protocols: an encoder, a generator or directions, and data, to a table of metrics."""

from .generation import Generation, generation
from .probes import check, knn, linear, probe

__all__ = ["Generation", "check", "generation", "knn", "linear", "probe"]
