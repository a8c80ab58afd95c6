"""The tables of distance-preserving representations: t-SimCLR, t-MoCo, ZooD."""

from . import ood, zoo

TABLES = {f"distance/{module.__name__.rpartition('.')[2]}": module.TABLE for module in (ood, zoo)}

__all__ = ["TABLES"]
