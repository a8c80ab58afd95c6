"""Protocols: an encoder, a generator or directions, and data, to a table of metrics."""

from .probes import knn, linear, probe

__all__ = ["knn", "linear", "probe"]
