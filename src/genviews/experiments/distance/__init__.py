"""The tables of t-SimCLR and t-MoCo (Hu et al. 2023)."""

from . import t_simclr, transfer

TABLES = {"distance/t-simclr": t_simclr.TABLE, "distance/transfer": transfer.TABLE}

__all__ = ["TABLES"]
