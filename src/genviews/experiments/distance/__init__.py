"""The tables of distance-preserving representations and latents: t-SimCLR, t-MoCo, DAE, ZooD."""

from . import ood, t_simclr, table2, table3, transfer, zoo

TABLES = {
    "distance/t-simclr": t_simclr.TABLE,
    "distance/transfer": transfer.TABLE,
    "distance/ood": ood.TABLE,
    "distance/zoo": zoo.TABLE,
    "distance/table2": table2.TABLE,
    "distance/table3": table3.TABLE,
}

__all__ = ["TABLES"]
