"""Learned views, Table 3: expert views alone, and with views learned in a generator."""

from .comparison import assimilated, comparison, expert

TABLE = comparison(
    "Learned views, assimilated",
    "Table 3",
    (
        expert("simclr", "SimCLR", {"linear": 92.04}),
        assimilated("a1-search", "A1, W-search", {"linear": 91.86}, assimilate="a1"),
        assimilated("a1-perturb", "A1, W-perturb", {"linear": 91.09}, assimilate="a1", views="perturb"),
        assimilated("a2-search", "A2, W-search", {"linear": 92.90}),
        assimilated("a2-perturb", "A2, W-perturb", {"linear": 92.38}, views="perturb"),
        expert("viewmaker", "ViewMaker, twice", {"linear": 83.59}, method="viewmaker", objective={}),
    ),
    "On CIFAR-100 the paper has 70.41, 71.69, 70.83, 72.76, 72.95 and 44.04 in this order, on TinyImageNet 47.48, 51.08, 50.18, "
    "51.05, 50.73 and 40.53.",
)
