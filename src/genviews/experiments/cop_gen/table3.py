"""COP-Gen, Table 3: latent transforms with and without T_x, on ImageNet-100."""

from ..table import Row, Table
from .scales import SCALES_100
from .settings import PROBES, Spec, pairs, probes

TABLE = Table(
    title="Latent transforms, with and without T_x",
    source="COP-Gen (Li et al. 2022), Table 3: linear evaluation on ImageNet-100, BigBiGAN, ResNet-50, 100 epochs",
    columns=lambda scale: PROBES,
    rows=(
        Row("none", "no T_z", Spec(positives="none"), {"linear": 58.26}),
        Row("gaussian", "Gaussian T_z", Spec(positives="gaussian"), {"linear": 62.62}),
        Row("steering", "steering T_z", Spec(positives="steering"), {"linear": 63.08}),
        Row("untrained", "untrained navigator", Spec(positives="untrained")),
        Row("cop-gen", "COP-Gen T_z", Spec(positives="cop-gen"), {"linear": 63.96}),
        Row("gaussian-bare", "Gaussian T_z, no T_x", Spec(positives="gaussian", augmentation="none"), {"linear": 28.90}),
        Row("steering-bare", "steering T_z, no T_x", Spec(positives="steering", augmentation="none"), {"linear": 28.68}),
        Row("cop-gen-bare", "COP-Gen T_z, no T_x", Spec(positives="cop-gen", augmentation="none"), {"linear": 37.40}),
    ),
    scales=SCALES_100,
    measure=probes,
    picture=pairs,
    notes=("The untrained navigator is not in the paper: it is the control for what adversarial training adds.",),
)
