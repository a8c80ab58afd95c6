"""Learned views, Table 16: how images are inverted."""

from .comparison import OURS, assimilated, comparison

TABLE = comparison(
    "Ways of inversion",
    "its inversion",
    (
        assimilated("in-domain", "in-domain"),
        assimilated("encode", "its encoder alone", inversion="encode"),
        assimilated("optimise", "optimisation from the nearest sample", inversion="optimise"),
    ),
    "The paper inverts in-domain.",
    OURS,
)
