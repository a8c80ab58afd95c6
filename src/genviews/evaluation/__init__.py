"""Protocols: an encoder, a generator or directions, and data, to a table of metrics."""

from .probes import check, knn, linear, probe

__all__ = ["check", "knn", "linear", "probe"]
