"""COP-Gen, Table 8: an instance-conditional generator, on ImageNet-100."""

from dataclasses import replace

from ...training import GANOptions
from ..recipes import GeneratorRecipe
from ..table import Row, Table
from .scales import PAPER_100, SMALL, SMOKE
from .settings import PROBES, Spec, pairs, probes

TABLE = Table(
    title="COP-Gen in IC-GAN's instance-conditional space",
    source="COP-Gen (Li et al. 2022), Table 8: linear evaluation on ImageNet-100, IC-GAN, ResNet-50, 100 epochs",
    columns=lambda scale: PROBES,
    rows=(
        Row("none", "no T_z", Spec(positives="none"), {"linear": 58.26}),
        Row("random", "another sample of the instance", Spec(positives="random")),
        Row("gaussian", "Gaussian T_z", Spec(positives="gaussian")),
        Row("cop-gen", "COP-Gen T_z", Spec(positives="cop-gen"), {"linear": 64.06}),
    ),
    scales={
        "smoke": SMOKE,
        "small": replace(
            SMALL,
            generator=GeneratorRecipe(
                family="icgan", image_size=32, options={"steps": 2000}, objective=GANOptions(discriminator_lr=4)
            ),
        ),
        "paper": replace(PAPER_100, generator="icgan_biggan_imagenet_res128"),
    },
    measure=probes,
    picture=pairs,
    notes=("One navigator moves the noise of all instances; anchor and positive share their instance.",),
)
