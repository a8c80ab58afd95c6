"""DisCo, Table 10 here: encoders, the number of their codes, and directions for the encoder of a VAE (Appendix E)."""

from ..cache import Cache
from ..table import Row, Table
from .manipulation import manipulation
from .scales import SCALES
from .settings import IN_PERCENT, PICTURED, SCORES, Scale, Spec, scores, traversals


def both(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """The scores of a row's codes, and of its directions."""
    return scores(spec, scale, seed, cache) | manipulation(spec, scale, seed, cache)


TABLE = Table(
    title="Encoders of DisCo, and directions for an encoder that is there",
    source="DisCo (Ren et al. 2022), its encoder and Appendix E: Shapes3D, a pretrained GAN",
    columns=lambda scale: {**SCORES, "mds": "MDS"},
    rows=(
        Row("disco", "DisCo's encoder, J = 32", Spec(options={"codes": 32})),
        *(Row(f"codes-{j}", f"J = {j}", Spec(options={"codes": j})) for j in (8, 16, 64)),
        Row("conv-small", "three convolutions", Spec(options={"codes": 32, "backbone": "conv-small", "architecture": {}})),
        Row("kept", "a FactorVAE's encoder, kept", Spec(kept="factor-vae")),
    ),
    scales=SCALES,
    measure=both,
    picture=traversals,
    pictured=PICTURED,
    notes=(
        IN_PERCENT,
        "The paper's are J = 32 (its code has 64), its encoder, and that directions are found for an encoder that is kept; the "
        "other rows, MDS as Table 3 has it, and the number of this table are this project's choice.",
    ),
)
