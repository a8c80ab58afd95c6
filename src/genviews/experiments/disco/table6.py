"""DisCo, Table 6 here: the losses of the paper, of the authors' code and InfoNCE, and above what a negative is flipped."""

from ..table import Row, Table
from .scales import SCALES
from .settings import IN_PERCENT, SCORES, Spec, scores

TABLE = Table(
    title="Forms of the losses, and the flip threshold",
    source="DisCo (Ren et al. 2022), eqs. 4 to 7 and Appendix F: MIG and DCI on Shapes3D, a pretrained GAN",
    columns=lambda scale: SCORES,
    rows=(
        *(
            Row(f"{form}-{t:g}", f"the {form}'s losses, T {t:g}", Spec(options={"form": form, "flip_threshold": t}))
            for form, t in (("paper", 0.95), ("paper", 0.99), ("code", 0.8), ("code", 0.95), ("code", 0.99))
        ),
        Row("no-flipping", "the code's losses, no flipping", Spec(options={"form": "code", "flip_threshold": None})),
        Row("infonce", "InfoNCE", Spec(options={"form": "infonce"})),
    ),
    scales=SCALES,
    measure=scores,
    notes=(
        IN_PERCENT,
        "The paper's are the forms and T 0.95; the other thresholds, and the number of this table, are this project's choice.",
        "The paper sums over the keys where its code averages, so that lambda weighs less beside it.",
    ),
)
