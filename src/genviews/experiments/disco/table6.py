"""DisCo, Table 6 here: the losses of the paper, of the authors' code and InfoNCE, and above what a negative is flipped."""

from ..table import Row, Table
from .scales import SCALES
from .settings import IN_PERCENT, SCORES, Spec, scores

TABLE = Table(
    title="Forms of the losses, and the flip threshold",
    source="DisCo (Ren et al. 2022), eqs. 4 to 7 and Appendix F: MIG and DCI on Shapes3D, a pretrained GAN",
    columns=lambda scale: SCORES,
    rows=(
        Row("paper", "the paper's losses, T 0.95", Spec()),
        *(Row(form, title, Spec(options={"form": form})) for form, title in (("code", "the code's"), ("infonce", "InfoNCE"))),
        *(Row(f"flip-{t:g}", f"T {t:g}", Spec(options={"flip_threshold": t})) for t in (0.8, 0.9, 0.99)),
        Row("no-flipping", "no flipping", Spec(options={"flip_threshold": None})),
    ),
    scales=SCALES,
    measure=scores,
    notes=(
        IN_PERCENT,
        "The paper's are the forms and T 0.95; the other thresholds, and the number of this table, are this project's choice.",
        "The paper sums over the keys where its code averages, so that lambda weighs less beside it.",
    ),
)
