"""COP-Gen, Table 1: real images against synthetic positives, on ImageNet-1K."""

from ..table import Row, Table
from .scales import SCALES
from .settings import PROBES, Spec, pairs, probes

TRANSFORMED = "feature-transformation"

TABLE = Table(
    title="Positives from real images and from a generator",
    source="COP-Gen (Li et al. 2022), Table 1: linear evaluation on ImageNet-1K, BigBiGAN, ResNet-50, 100 epochs",
    columns=lambda scale: PROBES,
    rows=(
        Row("real", "real images, SimCLR", Spec(positives="real"), {"linear": 49.44}),
        Row("real-nft", "real images, Neg. feature transf.", Spec(positives="real", method=TRANSFORMED), {"linear": 50.82}),
        Row("real-infomin", "real images, InfoMin", Spec(positives="real", augmentation="infomin"), {"linear": 50.93}),
        Row("real-nnclr", "real images, NNCLR", Spec(positives="real", method="nnclr"), {"linear": 51.97}),
        Row("none", "synthetic, no T_z", Spec(positives="none"), {"linear": 41.63}),
        Row("none-nnclr", "synthetic, NNCLR", Spec(positives="none", method="nnclr"), {"linear": 42.46}),
        Row("none-infomin", "synthetic, InfoMin", Spec(positives="none", augmentation="infomin"), {"linear": 42.83}),
        Row("none-nft", "synthetic, Neg. feature transf.", Spec(positives="none", method=TRANSFORMED), {"linear": 43.26}),
        Row("gaussian", "synthetic, Gaussian T_z", Spec(positives="gaussian"), {"linear": 48.73}),
        Row("steering", "synthetic, steering T_z", Spec(positives="steering"), {"linear": 51.19}),
        Row("untrained", "synthetic, untrained navigator", Spec(positives="untrained")),
        Row("cop-gen", "synthetic, COP-Gen T_z", Spec(positives="cop-gen"), {"linear": 53.25}),
    ),
    scales=SCALES,
    measure=probes,
    picture=pairs,
    notes=(
        "The untrained navigator is not in the paper: it is the control for what adversarial training adds.",
        "Negative feature transformation is its authors' own, on MoCo's queue; the paper does not say on what it ran.",
    ),
)
