"""Learned views, Table 18: a generator that learned augmented images too."""

from .comparison import OURS, assimilated, comparison

TABLE = comparison(
    "Augmented generator training",
    "Appendix I",
    (
        assimilated("plain", "a StyleGAN2 of real images, W-search"),
        assimilated("augmented", "of augmented images too, W-search", generator="augmented"),
        assimilated("plain-perturb", "a StyleGAN2 of real images, W-perturb", views="perturb"),
        assimilated("augmented-perturb", "of augmented images too, W-perturb", generator="augmented", views="perturb"),
    ),
    OURS,
)
