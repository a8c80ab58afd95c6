"""The tables of DisCo (Ren et al. 2022)."""

from . import figure6, table1, table2, table3, table4, table6, table9, table10

TABLES = {
    f"disco/{module.__name__.rpartition('.')[2]}": module.TABLE
    for module in (table1, table2, table3, table4, table6, table9, table10, figure6)
}

__all__ = ["TABLES"]
