"""DAE, Table 3: VQGAN, trained jointly and decoupled, reconstructs and generates."""

from collections.abc import Mapping

from ..cache import Cache
from ..table import Column, Row, Table
from .autoencoders import Scale, Spec, autoencoder, judged, pictured, with_prior
from .scales import SCALES

COLUMNS: Mapping[str, str | Column] = {
    "reconstruction_fid_train": Column("rFID, training images", lower_is_better=True, percent=False),
    "reconstruction_fid": Column("rFID, test images", lower_is_better=True, percent=False),
    "fid": Column("FID of the transformer's samples", lower_is_better=True, percent=False),
    "perplexity": Column("Perplexity of the codes", percent=False),
}


def measure(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """FIDs of reconstructions, and of samples that a transformer draws."""
    vqgan = judged(autoencoder(spec, scale, seed, cache), scale, seed, cache)
    sampled = judged(with_prior(spec, scale, seed, cache), scale, seed, cache)
    return {name: getattr(sampled if name == "fid" else vqgan, name) for name in COLUMNS}


TABLE = Table(
    title="VQGAN, decoupled",
    source="DAE, Table 3: FID of reconstructions, and of samples on CelebA-HQ",
    columns=lambda scale: COLUMNS,
    rows=(
        Row(
            "vqgan",
            "VQGAN",
            Spec(family="vqgan", prior="gpt"),
            {"reconstruction_fid_train": 4.23, "reconstruction_fid": 5.83, "fid": 9.97},
        ),
        Row(
            "dae-vqgan",
            "DAE-VQGAN",
            Spec(family="vqgan", encoder="decoupled", prior="gpt"),
            {"reconstruction_fid_train": 2.01, "reconstruction_fid": 3.82, "fid": 8.58},
        ),
    ),
    scales=SCALES,
    measure=measure,
    picture=pictured,
    pictured="Samples of the transformer; below, test images and their reconstructions.",
    notes=(
        "The paper's numbers are of faces, by Inception's features; its FID on FFHQ is 10.44 against 8.36.",
        "How the first stage's decoder is weakened (dropout .4) is this project's choice, as are all sizes at small scale.",
        "A perplexity near 1 says that the codebook has collapsed.",
    ),
)
