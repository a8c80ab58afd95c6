"""Learned views, Table 13: how far W-perturb goes."""

from .comparison import OURS, assimilated, comparison

TABLE = comparison(
    "The sigma of W-perturb, and its projection",
    "its study of sigma",
    (
        *(assimilated(f"sigma-{s}", f"sigma = {s}", views="perturb", std=s) for s in (0.05, 0.1)),
        assimilated("sigma-0.2", "sigma = 0.2", {"linear": 92.38}, views="perturb", std=0.2),
        assimilated("projected-0.2", "sigma = 0.2, all equally far", {"linear": 92.48}, views="perturb", std=0.2, projected=True),
        *(assimilated(f"sigma-{s}", f"sigma = {s}", views="perturb", std=s) for s in (0.4, 0.8)),
    ),
    OURS,
)
