"""What the tables of learned views share: their columns and scales, and the row most of them vary."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..table import Row, Table
from .scales import SCALES
from .settings import PROBES, Spec, probes, rows

A2 = Spec(views="search", assimilate="a2")
"""SimCLR that assimilates W-search by attraction."""

OURS = "The number of this table and the values that no paper's number stands beside are this project's choice."


def assimilated(name: str, title: str, paper: Mapping[str, float] | None = None, **changes: Any) -> Row:
    """A row that differs from `A2` in these."""
    return Row(name, title, replace(A2, **changes), paper or {})


def expert(name: str, title: str, paper: Mapping[str, float] | None = None, longer: float = 1.0, **recipe: Any) -> Row:
    """A row of expert views alone, pretrained with these changes."""
    return Row(name, title, Spec(recipe=recipe, longer=longer), paper or {})


def comparison(title: str, where: str, rows_: Sequence[Row], *notes: str, claims: Sequence[tuple[str, str]] = ()) -> Table:
    """A table of probes."""
    return Table(
        title=title,
        source=f'"On assimilating learned views in contrastive learning", {where}: linear evaluation on CIFAR-10, ResNet-18',
        columns=lambda scale: PROBES,
        rows=rows_,
        scales=SCALES,
        measure=probes,
        picture=rows,
        pictured="Real images beside their reconstructions and views.",
        claims=claims,
        notes=notes,
    )
