"""The tables of "On assimilating learned views in contrastive learning"."""

from . import (
    figure4,
    table1,
    table3,
    table4,
    table5,
    table6,
    table7,
    table8,
    table11,
    table12,
    table13,
    table14,
    table15,
    table16,
    table17,
    table18,
    table19,
)

TABLES = {
    f"learned-views/{module.__name__.rpartition('.')[2]}": module.TABLE
    for module in (
        table1,
        table3,
        table4,
        table5,
        table6,
        table7,
        table8,
        table11,
        table12,
        table13,
        table14,
        table15,
        table16,
        table17,
        table18,
        table19,
        figure4,
    )
}

__all__ = ["TABLES"]
