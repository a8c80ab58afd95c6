"""DisCo, Table 2: its parts, one left out or exchanged at a time."""

from ..table import Row, Table
from .scales import SCALES
from .settings import IN_PERCENT, PICTURED, SCORES, Spec, scores, traversals


def without(name: str, title: str, **options: object) -> Row:
    """DisCo on a GAN with other options."""
    return Row(name, title, Spec(options=options))


ROWS = (
    Row("disco", "DisCo: unit length, contrast of variations", Spec(), {"mig": 54.7, "dci": 73.0}),
    without("concatenation", "contrast of concatenations", contrasted="concatenation"),
    without("classification", "classification of variations", objective="classification"),
    without(
        "concatenation-classification",
        "classification of concatenations",
        contrasted="concatenation",
        objective="classification",
    ),
    without("orthonormal", "orthonormal directions", kind="orthonormal"),
    without("projective", "directions of the authors' code", kind="projective"),
    without("mlp", "directions by two layers", kind="mlp"),
    without("no-flipping", "no flipping of hard negatives", flip_threshold=None),
    without("no-entropy", "no domination entropy", entropy=0.0),
    without("neither", "neither of the two", flip_threshold=None, entropy=0.0),
)

TABLE = Table(
    title="The parts of DisCo",
    source="DisCo (Ren et al. 2022), Table 2: MIG and DCI on Shapes3D, a pretrained GAN",
    columns=lambda scale: SCORES,
    rows=ROWS,
    scales=SCALES,
    measure=scores,
    picture=traversals,
    pictured=PICTURED,
    claims=[("disco", row.name) for row in ROWS[1:] if row.name not in ("concatenation-classification", "projective", "mlp")],
    notes=(
        IN_PERCENT,
        "The paper's are the numbers of directions of unit length, its best, and so that each part helps. Classification of "
        "concatenations, the directions of the code and those by two layers are this project's rows, without a claim.",
    ),
)
