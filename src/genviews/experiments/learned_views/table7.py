"""Learned views, Table 7: how many of the kept views enter a step."""

from .comparison import OURS, assimilated, comparison

TABLE = comparison(
    "Views drawn in each step",
    "Table 7",
    (*(assimilated(f"m-{m}", f"W-search, m = {m}", drawn=m) for m in (1, 2, 4)),),
    "The paper draws 1.",
    OURS,
)
