"""t-MoCo-v2's transfer to other data sets: MoCo on distances instead of angles."""

from dataclasses import replace

from ... import encoders
from ...training import FinetuneOptions, PretrainOptions
from .. import transfers
from ..cache import Cache
from ..table import Row, Table
from .settings import Scale, Spec, pretrained, under

REPORTED = {"aircraft": "aircraft", "birdsnap": "birdsnap", "dtd": "dtd"}
"""The data sets of which the paper's own numbers are known."""

QUEUE = {"queue": 65_536, "momentum": 0.999}


def columns(scale: Scale) -> dict[str, str]:
    """What the paper reports, measured or not, and what the scale transfers to."""
    return REPORTED | transfers.columns(scale)


def measure(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """The score of each set."""
    encoder = encoders.load(pretrained(spec, scale, seed, cache)[0])
    return transfers.scores(encoder, scale.transfer, scale.finetune and replace(scale.finetune, seed=seed), seed)


TABLE = Table(
    title="Transfer of MoCo and t-MoCo",
    source="t-MoCo-v2 (Hu et al. 2023), transfer from ImageNet-1K, ResNet-50, 200 epochs",
    columns=columns,
    rows=(
        Row("moco", "MoCo v2", Spec(method="moco"), {"aircraft": 82.75, "birdsnap": 44.53, "dtd": 71.22, "average": 75.37}),
        Row("t-moco", "t-MoCo v2", Spec(method="t-moco"), {"aircraft": 82.78, "birdsnap": 53.46, "dtd": 69.20, "average": 77.78}),
    ),
    scales={
        "smoke": Scale(
            data="digits",
            encoders=under(PretrainOptions(steps=2, batch_size=32, image_size=16), {"moco": {}, "t-moco": {}}),
            seeds=2,
            transfer=("digits",),
        ),
        "small": Scale(
            data="cifar10",
            encoders=under(PretrainOptions(steps=400, augmentation="simclr"), {"moco": {}, "t-moco": {}}),
            transfer=("fashion-mnist", "mnist", "digits"),
        ),
        "paper": Scale(
            data="imagenet",
            encoders=under(
                PretrainOptions(
                    backbone="resnet50", augmentation="simclr", image_size=224, steps=1_000_800, batch_size=256, lr=0.03, warmup=0
                ),
                {
                    "moco": {"objective": {**QUEUE, "temperature": 0.2}},
                    "t-moco": {"objective": {**QUEUE, "temperature": 5.0, "df": 10.0}},
                },
            ),
            seeds=1,
            transfer=(
                *("aircraft", "birdsnap", "caltech101", "cars", "cifar10", "cifar100", "dtd", "flowers102", "food101", "pets"),
                "sun397",
            ),
            finetune=FinetuneOptions(
                steps=5000, batch_size=64, lr=(1e-4, 1e-3, 1e-2, 1e-1), weight_decay=(0.0, 1e-6, 1e-5, 1e-4, 1e-3)
            ),
        ),
    },
    measure=measure,
    notes=(
        "Scale paper fine-tunes, as the paper's numbers look; it reports no protocol. Scale small fits linear probes.",
        "The paper's average is over sets of its own, of which three are known; here it is over the columns.",
        "t-MoCo's temperature 5 with 10 degrees of freedom is inferred. T_x is SimCLR's without blur.",
    ),
)
