"""The tables of COP-Gen (Li et al. 2022)."""

from . import table1, table2, table3, table4, table5, table6, table7, table8, table9, table10

TABLES = {
    f"cop-gen/{module.__name__.rpartition('.')[2]}": module.TABLE
    for module in (table1, table2, table3, table4, table5, table6, table7, table8, table9, table10)
}

__all__ = ["TABLES"]
