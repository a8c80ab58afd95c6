"""The papers' tables: rows, columns, and the scales they run at."""

from .positives import ComparisonOptions, compare_positives

__all__ = ["ComparisonOptions", "compare_positives"]
