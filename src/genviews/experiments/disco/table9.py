"""DisCo, Table 9 here: the beta-VAE and FactorVAE scores of Table 1's rows."""

from dataclasses import replace
from functools import partial

from ..table import Table
from . import table1
from .scales import SCALES, SMALL
from .settings import measured

SCORES = {"beta_vae": "beta-VAE score", "factor_vae": "FactorVAE score"}

TABLE = Table(
    title="The beta-VAE and FactorVAE scores",
    source="DisCo (Ren et al. 2022), its other scores: Shapes3D, the rows of Table 1",
    columns=lambda scale: SCORES,
    rows=[replace(row, paper={}) for row in table1.ROWS],
    scales={**SCALES, "small": replace(SMALL, samples=1000)},
    measure=partial(measured, ("beta_vae", "factor_vae")),
    notes=(
        "The scores are the paper's, without its numbers; the number of this table is this project's choice. Scale small fits "
        "them to 1,000 batches.",
    ),
)
