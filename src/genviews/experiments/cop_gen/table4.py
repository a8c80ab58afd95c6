"""COP-Gen, Table 4: the navigator and the encoder under fewer augmentations, on ImageNet-100."""

from ..table import Row, Table
from .scales import SCALES_100
from .settings import PROBES, Spec, pairs, probes

TABLE = Table(
    title="COP-Gen under fewer augmentations",
    source="COP-Gen (Li et al. 2022), Table 4: linear evaluation on ImageNet-100, BigBiGAN, ResNet-50, 100 epochs",
    columns=lambda scale: PROBES,
    rows=(
        Row("all", "all of T_x", Spec(positives="cop-gen"), {"linear": 63.96}),
        Row("no-color", "no colour", Spec(positives="cop-gen", augmentation="no-color"), {"linear": 55.26}),
        Row("no-crop", "no crop", Spec(positives="cop-gen", augmentation="no-crop"), {"linear": 43.84}),
        Row("bare", "no T_x", Spec(positives="cop-gen", augmentation="none"), {"linear": 36.16}),
    ),
    scales=SCALES_100,
    measure=probes,
    picture=pairs,
)
