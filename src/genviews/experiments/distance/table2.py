"""DAE, Table 2: which latent distribution makes a DCGAN's generator best."""

from collections.abc import Mapping

from ..cache import Cache
from ..table import Column, Row, Table
from .autoencoders import Scale, Spec, autoencoder, judged, pictured
from .scales import SCALES

COLUMNS: Mapping[str, str | Column] = {
    "inception_score": Column("IS", percent=False),
    "fid": Column("FID", lower_is_better=True, percent=False),
    "posterior_fid": Column("FID, aggregate posterior", lower_is_better=True, percent=False),
    "reconstruction_fid": Column("FID of reconstructions", lower_is_better=True, percent=False),
}


def measure(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """The columns that a row has."""
    found = judged(autoencoder(spec, scale, seed, cache), scale, seed, cache)
    score = found.inception_score
    numbers = {name: getattr(found, name) for name in COLUMNS} | {"inception_score": score.mean if score else None}
    return {name: value for name, value in numbers.items() if value is not None}


TABLE = Table(
    title="Latents for a DCGAN's generator",
    source="DAE, Table 2: inception score and FID on CIFAR-10",
    columns=lambda scale: COLUMNS,
    rows=(
        Row("dcgan", "DCGAN", Spec(family="dcgan"), {"inception_score": 5.68, "fid": 51.76}),
        Row(
            "dcgan-simclr",
            "DCGAN-SimCLR",
            Spec(family="vaegan", encoder="simclr"),
            {"inception_score": 3.93, "fid": 168.23},
        ),
        Row("vaegan", "VAEGAN", Spec(family="vaegan"), {"inception_score": 5.82, "fid": 48.11}),
        Row("dae-vaegan", "DAE-VAEGAN", Spec(family="vaegan", encoder="decoupled"), {"inception_score": 6.16, "fid": 46.12}),
    ),
    scales=SCALES,
    measure=measure,
    picture=pictured,
    pictured="Samples of the prior; below, where there is an encoder, test images and their reconstructions.",
    notes=(
        "The paper's are the rows and their numbers; architectures, losses and sizes are this project's choice: the order "
        "of the rows is what can be compared. All rows have the same generator, discriminator and number of steps (DAE-VAEGAN in "
        "each of its two stages).",
        "IS and FID stand on a small classifier of the data, not on Inception, unless `features` names it.",
        "FIDs but the last are against the test images; the aggregate posterior's samples are of latents of training images.",
        "DCGAN-SimCLR decodes whitened representations of a frozen SimCLR encoder, by the same losses as VAEGAN.",
    ),
)
