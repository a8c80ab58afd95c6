"""COP-Gen's transfer to other data sets: linear probes, here Table 2."""

from dataclasses import replace
from pathlib import Path

from ... import data as datasets
from ... import devices
from ...evaluation import transfer
from ..cache import Cache
from ..table import Table
from .scales import PAPER, SMALL, SMOKE
from .settings import DOWNSTREAM, Scale, Spec, pairs, pretrained


def columns(scale: Scale) -> dict[str, str]:
    """A column a data set, and their mean."""
    return {Path(name).stem: Path(name).stem for name in scale.transfer} | {"average": "average"}


def measure(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """The score of each set, by logistic regression on frozen features, regularised as the validation part says."""
    encoder = pretrained(spec, scale, seed, cache)[0].to(devices.best())
    sets = {Path(name).stem: datasets.load(name, encoder.image_size) for name in scale.transfer}
    result = transfer(encoder, sets, seed=seed)
    return {row.data: row.score for row in result.rows} | {"average": result.average}


TABLE = Table(
    title="Transfer to other data sets",
    source="COP-Gen (Li et al. 2022), transfer classification of the encoders of Table 1",
    columns=columns,
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
