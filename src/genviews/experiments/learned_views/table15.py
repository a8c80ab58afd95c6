"""Learned views, Table 15: views kept on disk, and views made in the training step."""

from .comparison import OURS, assimilated, comparison

TABLE = comparison(
    "Views cached, and made on the fly",
    "Appendix E",
    (
        assimilated("search", "W-search, cached"),
        assimilated("search-online", "W-search, one signed step against f as it is", views="search-online"),
        assimilated("perturb", "W-perturb, cached", views="perturb"),
        assimilated("perturb-online", "W-perturb, new at each step", views="perturb-online"),
    ),
    OURS,
)
