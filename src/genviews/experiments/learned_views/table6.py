"""Learned views, Table 6: how many views of each image are kept."""

from .comparison import OURS, assimilated, comparison

TABLE = comparison(
    "Views kept of each image",
    "Table 6",
    (
        *(assimilated(f"search-{n}", f"W-search, n = {n}", cached=n) for n in (2, 4, 8)),
        *(assimilated(f"perturb-{n}", f"W-perturb, n = {n}", cached=n, views="perturb") for n in (1, 2, 4, 8)),
    ),
    "The paper keeps 8.",
    OURS,
)
