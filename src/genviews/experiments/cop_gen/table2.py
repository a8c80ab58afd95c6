"""COP-Gen's transfer to other data sets: linear probes, here Table 2."""

from dataclasses import replace

from .. import transfers
from ..cache import Cache
from ..table import Table
from .scales import PAPER, SMALL, SMOKE
from .settings import DOWNSTREAM, Scale, Spec, pairs, pretrained


def measure(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """The score of each set, by logistic regression on frozen features."""
    return transfers.scores(pretrained(spec, scale, seed, cache)[0], scale.transfer, seed=seed)


TABLE = Table(
    title="Transfer to other data sets",
    source="COP-Gen (Li et al. 2022), transfer classification of the encoders of Table 1",
    columns=transfers.columns,
    rows=DOWNSTREAM,
    scales={
        "smoke": replace(SMOKE, transfer=("digits",)),
        "small": replace(SMALL, transfer=("mnist", "cifar10", "digits")),
        "paper": replace(PAPER, transfer=("food101", "cifar10", "cifar100", "sun397", "pets", "caltech101", "flowers102")),
    },
    measure=measure,
    picture=pairs,
    notes=("The paper's own numbers of this table are not recorded here; the number of the table is this project's.",),
)
