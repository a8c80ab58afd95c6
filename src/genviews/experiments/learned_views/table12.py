"""Learned views, Table 12: how far searched views are from each other."""

from .comparison import OURS, assimilated, comparison

TABLE = comparison(
    "The uniformity of W-search, eps2 and lambda",
    "its study of eps2 and lambda",
    (
        assimilated("default", "eps2 = 5/3 eps1, lambda = .01"),
        *(assimilated(f"lambda-{x}", f"lambda = {x}", search={"weight": x}) for x in (0.0, 0.1, 1.0)),
        *(assimilated(f"eps2-{e}", f"eps2 = {e}", search={"uniformity": e}) for e in (0.2, 0.8)),
    ),
    "The paper's best are eps2 = .5 and lambda = .01 on CIFAR-10.",
    OURS,
)
