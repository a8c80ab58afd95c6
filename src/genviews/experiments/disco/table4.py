"""DisCo, Table 4 here: how many of the keys are positives, and how much the domination entropy weighs."""

from ..table import Row, Table
from .scales import SCALES
from .settings import IN_PERCENT, SCORES, Spec, scores

TABLE = Table(
    title="Positives, negatives and the domination entropy",
    source="DisCo (Ren et al. 2022), its studies of N : K and of lambda: MIG and DCI on Shapes3D, a pretrained GAN",
    columns=lambda scale: SCORES,
    rows=(
        Row("disco", "DisCo: N : K = 1 : 2, lambda 1", Spec()),
        *(Row(f"{n}-{k}", f"N : K = {n} : {k}", Spec(positives=n / (n + k))) for n, k in ((1, 5), (1, 1), (2, 1))),
        *(Row(f"lambda-{x:g}", f"lambda {x:g}", Spec(options={"entropy": x})) for x in (0.0, 0.1, 10.0)),
    ),
    scales=SCALES,
    measure=scores,
    notes=(
        IN_PERCENT,
        "The paper's is the setting of the first row; the other values and the number of this table are this project's choice.",
    ),
)
