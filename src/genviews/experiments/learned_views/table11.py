"""Learned views, Table 11: how far searched views are from their image."""

from .comparison import OURS, assimilated, comparison

TABLE = comparison(
    "The boundary of W-search, eps1",
    "its study of eps1",
    (
        assimilated("measured", "eps1 as far as expert views"),
        *(assimilated(f"eps1-{e}", f"eps1 = {e}", search={"boundary": e}) for e in (0.1, 0.2, 0.3, 0.5, 0.8)),
    ),
    "The paper's best are .3 on CIFAR-10 and .2 on CIFAR-100.",
    OURS,
)
