"""The papers' tables: rows, columns, and the scales they run at."""

from . import cop_gen, disco, distance, learned_views
from .positives import ComparisonOptions, compare_positives
from .runner import Run, reproduce
from .std_search import StdSearch, search_std

TABLES = cop_gen.TABLES | disco.TABLES | distance.TABLES | learned_views.TABLES
"""Name -> table."""

__all__ = ["TABLES", "ComparisonOptions", "Run", "StdSearch", "compare_positives", "reproduce", "search_std"]
