"""COP-Gen's downstream tasks that train the whole network: few labels, and detection; here Table 6."""

from dataclasses import replace

from ... import devices
from ...data import voc
from ...evaluation import detection, finetune, predict
from ...training import DetectorOptions, FinetuneOptions, train_detector
from ..cache import Cache
from ..table import Table
from .scales import PAPER, SMALL, SMOKE
from .settings import DOWNSTREAM, Scale, Spec, pairs, pretrained

FRACTIONS = (0.01, 0.05, 0.1)
PRECISIONS = {"ap": "detection, AP", "ap50": "detection, AP50", "ap75": "detection, AP75"}


def columns(scale: Scale) -> dict[str, str]:
    """Fine-tuned on a part of the labels, then detection if the scale has data for it."""
    few = {f"finetune-{fraction:g}": f"fine-tuned, {fraction:.0%} of the labels" for fraction in FRACTIONS}
    return few | (PRECISIONS if scale.detection else {})


def measure(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """The accuracies and average precisions of one encoder."""
    encoder, data = pretrained(spec, scale, seed, cache)
    encoder.to(devices.best())
    numbers = {}
    for fraction in FRACTIONS:
        result = finetune(encoder, data, replace(scale.finetune, seed=seed), fraction=fraction)
        numbers[f"finetune-{fraction:g}"] = result.top1
    if scale.detection:
        train, test = voc(scale.detection)
        found = train_detector(encoder, train, replace(scale.detector, seed=seed))
        mean = detection(predict(found.to(devices.best()), test), test).mean
        numbers |= {"ap": mean.ap, "ap50": mean.ap50, "ap75": mean.ap75}
    return numbers


TABLE = Table(
    title="Few labels and detection",
    source="COP-Gen (Li et al. 2022), semi-supervised learning and Pascal VOC detection with the encoders of Table 1",
    columns=columns,
    rows=DOWNSTREAM,
    scales={
        "smoke": replace(SMOKE, finetune=FinetuneOptions(steps=2, lr=(0.1,), weight_decay=(0.0,))),
        "small": replace(
            SMALL,
            finetune=FinetuneOptions(steps=200, lr=(0.3,), weight_decay=(1e-3,), augmentation="weak"),
            detector=DetectorOptions(image_size=160, steps=150, samples=64, proposals=150),
        ),
        "paper": replace(
            PAPER,
            finetune=FinetuneOptions(steps=5000, batch_size=256, lr=(0.01, 0.03, 0.1), weight_decay=(0.0, 1e-4)),
            detection="VOCdevkit",
            detector=DetectorOptions(
                image_size=800,
                smallest_size=480,
                max_size=1024,
                roi_size=14,
                proposals=1000,
                samples=512,
                steps=96_000,
                lr=0.005,
                warmup=400,
            ),
        ),
    },
    measure=measure,
    picture=pairs,
    notes=(
        "The paper's own numbers of this table are not recorded here; the number of the table is this project's.",
        "Detection is as the authors' command has it; how scale paper fine-tunes on few labels is this project's choice.",
    ),
)
