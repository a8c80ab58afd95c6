"""Learned views, Table 4: the forms of A2."""

from .comparison import OURS, assimilated, comparison, expert


def objective(negatives: str) -> dict[str, object]:
    """Of SimCLR."""
    return {"temperature": 0.5, "negatives": negatives}


TABLE = comparison(
    "A2 in its forms",
    "its forms of A2",
    (
        assimilated("infonce", "InfoNCE, generated views attract", recipe={"objective": objective("cross")}),
        assimilated("simclr", "NT-Xent, generated views attract", recipe={"objective": objective("both")}),
        assimilated("full", "NT-Xent, generated views like the others", recipe={"objective": objective("all")}),
        expert("infonce-alone", "InfoNCE, expert views alone", objective=objective("cross")),
        expert("simclr-alone", "NT-Xent, expert views alone", objective=objective("both")),
    ),
    "The first is the paper's form, the next two are of its authors' code.",
    OURS,
)
