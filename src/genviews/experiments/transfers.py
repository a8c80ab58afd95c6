"""What tables of transfer have in common: a column a data set, and their mean."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import data as datasets
from .. import devices
from ..encoders import Encoder
from ..evaluation import transfer
from ..training import FinetuneOptions


def columns(scale: Any) -> dict[str, str]:
    """A column for each of the data sets `scale.transfer`, and their mean."""
    return {Path(name).stem: Path(name).stem for name in scale.transfer} | {"average": "average"}


def scores(encoder: Encoder, names: Sequence[str], finetuning: FinetuneOptions | None = None, seed: int = 0) -> dict[str, float]:
    """The score of each set, by fine-tuning or by logistic regression, as the validation part chooses; and their mean."""
    sets = {Path(name).stem: datasets.load(name, encoder.image_size) for name in names}
    result = transfer(encoder.to(devices.best()), sets, finetuning, seed=seed)
    return {row.data: row.score for row in result.rows} | {"average": result.average}
