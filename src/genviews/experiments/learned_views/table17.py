"""Learned views, Table 17: what renders the views."""

from .comparison import OURS, assimilated, comparison

TABLE = comparison(
    "Generators of views",
    "other generators",
    (
        assimilated("gan-search", "StyleGAN2, W-search"),
        assimilated("gan-perturb", "StyleGAN2, W-perturb", views="perturb"),
        assimilated("vae-search", "VAE, W-search", generator="vae", inversion="encode"),
        assimilated("vae-perturb", "VAE, W-perturb", generator="vae", inversion="encode", views="perturb"),
    ),
    "The paper's is a StyleGAN2.",
    OURS,
)
