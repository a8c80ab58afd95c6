"""The tables of distance-preserving representations: t-SimCLR, t-MoCo, ZooD."""

from . import ood, zoo

TABLES = {f"distance/{module.__name__.rpartition('.')[2]}": module.TABLE for module in (ood, zoo)}
"""The tables of distance-preserving representations and latents (t-SimCLR, DAE)."""

from . import table2, table3

TABLES = {f"distance/{module.__name__.rpartition('.')[2]}": module.TABLE for module in (table2, table3)}

__all__ = ["TABLES"]
