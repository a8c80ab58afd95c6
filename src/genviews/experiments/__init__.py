"""The papers' tables: rows, columns, and the scales they run at."""

from .cop_gen import TABLES
from .positives import ComparisonOptions, compare_positives
from .runner import Run, reproduce
from .std_search import StdSearch, search_std

__all__ = ["TABLES", "ComparisonOptions", "Run", "StdSearch", "compare_positives", "reproduce", "search_std"]
