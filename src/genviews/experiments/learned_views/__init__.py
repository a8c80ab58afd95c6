"""The tables of "On assimilating learned views in contrastive learning"."""

from importlib import import_module

NAMES = (*(f"table{number}" for number in (1, 3, 4, 5, 6, 7, 8, *range(11, 20))), "figure4")

TABLES = {f"learned-views/{name}": import_module(f".{name}", __name__).TABLE for name in NAMES}

__all__ = ["TABLES"]
