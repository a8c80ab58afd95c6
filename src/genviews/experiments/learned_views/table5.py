"""Learned views, Table 5: what augments the expert and the generated views."""

from .comparison import assimilated, comparison, expert

TABLE = comparison(
    "Augmentations of expert and generated views",
    "Table 5",
    (
        assimilated("expert-weak", "expert; generated: weak crop and flip"),
        assimilated("expert-none", "expert; generated: none", recipe={"generated_augmentation": "none"}),
        assimilated("expert-expert", "expert; generated: expert", recipe={"generated_augmentation": "simclr"}),
        assimilated("basic-weak", "basic: flip; generated: weak", recipe={"augmentation": "flip"}),
        assimilated("cropped-weak", "cropped: crop and flip; generated: weak", recipe={"augmentation": "no-color"}),
        expert("expert", "expert alone"),
        expert("basic", "basic alone", augmentation="flip"),
        expert("cropped", "cropped alone", augmentation="no-color"),
    ),
    "Expert, basic and cropped views are the paper's; how each is made is this project's choice.",
    claims=[("expert-weak", "expert"), ("basic-weak", "basic"), ("cropped-weak", "cropped")],
)
