"""COP-Gen, Table 10: supervised, with a class-conditional generator, on ImageNet-1K."""

from dataclasses import replace

from ..recipes import GeneratorRecipe
from ..table import Row, Table
from .scales import PAPER, SMALL, SMOKE
from .settings import PROBES, Spec, pairs, probes

SUPERVISED = {"supervised": True}

TABLE = Table(
    title="Supervised COP-Gen in BigGAN-deep",
    source="COP-Gen (Li et al. 2022), Table 10: linear evaluation on ImageNet-1K, BigGAN-deep, SupCon, ResNet-50",
    columns=lambda scale: PROBES,
    rows=(
        Row("real", "real images", Spec(positives="real", method="supcon"), {"linear": 66.40}),
        Row("none", "no T_z", Spec(positives="none", method="supcon"), {"linear": 55.93}),
        Row("gaussian", "Gaussian T_z", Spec(positives="gaussian", method="supcon"), {"linear": 53.67}),
        Row("steering", "steering T_z", Spec(positives="steering", method="supcon"), {"linear": 55.82}),
        Row("random", "another sample of the class", Spec(positives="random", method="supcon"), {"linear": 56.23}),
        Row("cop-gen", "COP-Gen T_z", Spec(positives="cop-gen", method="supcon", navigator=SUPERVISED), {"linear": 57.16}),
    ),
    scales={
        "smoke": replace(
            SMOKE, generator=GeneratorRecipe(family="biggan_deep", image_size=32, options={"steps": 2, "batch_size": 4})
        ),
        "small": replace(SMALL, generator=GeneratorRecipe(family="biggan_deep", image_size=32, options={"steps": 2000})),
        "paper": replace(
            PAPER,
            generator="biggan-deep-128",
            gaussian_std=1.0,
            navigator=replace(PAPER.navigator, steps=4000, batch_size=500, lr=1e-5, estimator_lr=1e-5),
        ),
    },
    measure=probes,
    picture=pairs,
)
