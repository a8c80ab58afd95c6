"""Learned views, Table 14: how much generated views attract."""

from .comparison import OURS, assimilated, comparison, expert

TABLE = comparison(
    "The weight of the attraction, alpha",
    "its study of alpha",
    (
        expert("alpha-0", "expert views alone"),
        *(assimilated(f"alpha-{a}", f"alpha = {a}", recipe={"alpha": a}) for a in (0.1, 0.25, 0.5, 1.0)),
    ),
    "The paper's is .5.",
    OURS,
)
