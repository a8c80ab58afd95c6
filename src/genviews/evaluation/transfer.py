"""Transfer: what an encoder is worth on other data sets than the one it learnt from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ..data import Splits
from ..encoders import Encoder
from ..errors import OptionError
from ..metrics import Classification
from .finetuning import finetune
from .probes import linear

if TYPE_CHECKING:
    from ..training import FinetuneOptions

MEAN_PER_CLASS = ("pets", "caltech101", "flowers102", "aircraft")
"""The sets of which Kornblith et al. (2019) and Chen et al. (2020) report the mean accuracy per class; of others it is top-1."""


@dataclass(frozen=True)
class TransferRow:
    """How well an encoder does on one data set.

    Attributes:
        data: Its name.
        metric: "top-1" or "mean per class".
        score: In [0, 1].
        result: The whole of it.
    """

    data: str
    metric: str
    score: float
    result: Classification


@dataclass(frozen=True)
class Transfer:
    """How well an encoder does on several data sets; `dataclasses.asdict` makes it JSON.

    Attributes:
        rows: One a data set.
        average: Of their scores.
    """

    rows: list[TransferRow]
    average: float

    def markdown(self) -> str:
        """The table, in per cent."""
        lines = [(row.data, row.metric, f"{100 * row.score:.2f}", f"{row.result.n:,}", _chosen(row.result)) for row in self.rows]
        lines.append(("average", "", f"{100 * self.average:.2f}", "", ""))
        head = ["| data | metric | % | test images | settings |", "|---|---|---:|---:|---|"]
        return "\n".join(head + [f"| {' | '.join(line)} |" for line in lines])


def transfer(
    encoder: Encoder,
    data: Mapping[str, Splits],
    finetuning: "FinetuneOptions | None" = None,
    *,
    per_class: Collection[str] = MEAN_PER_CLASS,
    seed: int = 0,
    out: Path | None = None,
    resume: bool = False,
    **trainer: Any,
) -> Transfer:
    """Evaluates an encoder on several data sets, by linear probes or by fine-tuning (Kornblith et al. 2019).

    Args:
        encoder: Left as it is.
        data: Name -> splits.
        finetuning: How to fine-tune; None for `linear`: L2-regularised logistic regression on the frozen features, the penalty
            chosen on the validation part.
        per_class: The names of those whose score is the mean accuracy per class.
        seed: Of the linear probes' validation parts.
        out: Folder for each set's fine-tuning; None keeps nothing.
        resume: Go on with the run in `out`.
        **trainer: Of fine-tuning: further arguments of `training.fit` (precision, workers, ...).

    Raises:
        OptionError: If there are no data, or `per_class` names some that are not there.
        DataError, NonFiniteError: As `linear` and `finetune` do.
    """
    if not data:
        raise OptionError("there are no data sets to transfer to; name one or more")
    if unknown := [name for name in per_class if name not in {*data, *MEAN_PER_CLASS}]:
        raise OptionError(f"per_class names {unknown[0]!r}, which is none of the data sets {', '.join(data)}")
    rows = []
    for name, splits in data.items():
        if finetuning is None:
            result = linear(encoder, splits, seed=seed)
        else:
            result = finetune(encoder, splits, finetuning, out=out and out / name, resume=resume, **trainer)
        metric, score = ("mean per class", result.mean_per_class) if name in per_class else ("top-1", result.top1)
        rows.append(TransferRow(name, metric, score, result))
    return Transfer(rows, fmean(row.score for row in rows))


def _chosen(result: Classification) -> str:
    """The settings that the protocol chose."""
    return ", ".join(f"{key} {value:g}" for key, value in result.settings.items() if isinstance(value, float))
