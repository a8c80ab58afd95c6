"""COP-Gen, Table 7: contrastive and non-contrastive pretraining, on ImageNet-100."""

from ..table import Row, Table
from .scales import SCALES_100
from .settings import PROBES, Spec, pairs, probes

TABLE = Table(
    title="COP-Gen's positives under SimCLR and BYOL",
    source="COP-Gen (Li et al. 2022), Table 7: linear evaluation on ImageNet-100, BigBiGAN, ResNet-50, 100 epochs",
    columns=lambda scale: PROBES,
    rows=(
        Row("simclr-none", "SimCLR, no T_z", Spec(positives="none"), {"linear": 58.26}),
        Row("simclr-cop-gen", "SimCLR, COP-Gen T_z", Spec(positives="cop-gen"), {"linear": 63.96}),
        Row("byol-none", "BYOL, no T_z", Spec(positives="none", method="byol"), {"linear": 59.30}),
        Row("byol-cop-gen", "BYOL, COP-Gen T_z", Spec(positives="cop-gen", method="byol"), {"linear": 64.60}),
    ),
    scales=SCALES_100,
    measure=probes,
    picture=pairs,
)
