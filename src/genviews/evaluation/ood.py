"""Out of distribution: a classifier of an encoder's features on a domain that it never saw."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from .. import metrics
from ..data import DomainImages, Splits, Subset, extract
from ..encoders import Encoder
from ..errors import require_positive
from ..metrics import Classification
from ..metrics.classification import held_out
from .finetuning import finetune

if TYPE_CHECKING:
    from ..training import FinetuneOptions

VALIDATION = 0.2
"""DomainBed's part of each training domain that settings are chosen by."""


class Parts(NamedTuple):
    """Indices of images: to learn from, of the domain held out, and to choose settings by."""

    train: Tensor
    test: Tensor
    validation: Tensor


@dataclass(frozen=True)
class HeldOut:
    """How well a domain is classified that was held out.

    Attributes:
        domain: Its name.
        trials: The results, one a split of the other domains.
        mean: Of their top-1 accuracies, in [0, 1].
        std: Their standard deviation, 0 for one trial.
    """

    domain: str
    trials: list[Classification]
    mean: float
    std: float


@dataclass(frozen=True)
class OutOfDistribution:
    """How well an encoder does on domains it never saw labels of; `dataclasses.asdict` makes it JSON.

    Attributes:
        domains: Each held out in turn.
        average: Of their accuracies.
        std: Standard deviation over trials of the average, 0 for one trial.
    """

    domains: list[HeldOut]
    average: float
    std: float

    def markdown(self) -> str:
        """The table, in per cent."""
        lines = [(row.domain, row.mean, row.std, f"{row.trials[0].n:,}") for row in self.domains]
        lines.append(("average", self.average, self.std, ""))
        head = ["| held out | top-1, % | std | test images |", "|---|---:|---:|---:|"]
        return "\n".join(head + [f"| {name} | {100 * mean:.2f} | {100 * std:.2f} | {n} |" for name, mean, std, n in lines])


def leave_out(data: DomainImages, domain: int, seed: int) -> Parts:
    """Splits the images for one trial of one domain, as DomainBed does (Gulrajani and Lopez-Paz 2021).

    The domain is the test part, whole; of every other a fifth is the validation part, of each class alike, and the rest is to
    train on. DomainBed draws that fifth without regard to classes, and scores four fifths of the domain held out.

    Args:
        data: Images of two domains or more.
        domain: Which is held out.
        seed: Of the trial: what validates is the same whichever domain is held out.
    """
    other = data.domains != domain
    chosen = held_out(data.domains * len(data.class_names) + data.labels, VALIDATION, seed)
    return Parts(*(mask.nonzero()[:, 0] for mask in (other & ~chosen, ~other, other & chosen)))


def probe_out(features: Tensor, data: DomainImages, domain: int, seed: int) -> Classification:
    """The linear probe of features (N, D) on a domain held out, in one trial; validation chooses its penalty."""
    train, test, validation = ((features[part], data.labels[part]) for part in leave_out(data, domain, seed))
    return metrics.linear_probe(train, test, validation=validation, refit=False, seed=seed)


def ood(
    encoder: Encoder,
    data: DomainImages,
    finetuning: "FinetuneOptions | None" = None,
    *,
    trials: int = 3,
    seed: int = 0,
    device: torch.device | str | None = None,
    out: Path | None = None,
    resume: bool = False,
    **trainer: Any,
) -> OutOfDistribution:
    """Leaves each domain out in turn: a classifier learns from the others and is scored on it.

    Settings (the probe's penalty, or the learning rate and weight decay) are chosen by the validation part of the training
    domains, DomainBed's "training-domain validation"; fine-tuning then learns from both parts. Linear heads on frozen features
    are what t-MoCo's numbers look like (their table does not say); fine-tuning is DomainBed's.

    Args:
        encoder: Left as it is.
        data: Images of two domains or more.
        finetuning: How to fine-tune; None for a linear head on frozen features.
        trials: Splits of each; their seeds are `seed` and those after it.
        seed: Of the first trial.
        device: To encode on; None for where the encoder is.
        out: Folder for each fine-tuning; None keeps nothing.
        resume: Go on with the run in `out`.
        **trainer: Of fine-tuning: further arguments of `training.fit` (precision, workers, ...).

    Raises:
        OptionError: If there are no trials.
        DataError, NonFiniteError: As `extract`, `metrics.linear_probe` and `finetune` do.
    """
    require_positive(trials=trials)
    if finetuning is None:
        features, _ = extract(encoder, data.images, device=device)

    def score(domain: int, trial: int) -> Classification:
        if finetuning is None:
            return probe_out(features, data, domain, trial)
        splits = Splits(*(Subset(data.images, part) for part in leave_out(data, domain, trial)))
        folder = out / f"{data.domain_names[domain]}-{trial}" if out else None
        return finetune(encoder, splits, replace(finetuning, seed=trial), out=folder, resume=resume, **trainer)

    names = tqdm(data.domain_names, "domains held out", delay=2, leave=False, disable=None)
    return _table({name: [score(domain, seed + trial) for trial in range(trials)] for domain, name in enumerate(names)})


def _table(results: dict[str, list[Classification]]) -> OutOfDistribution:
    top1 = {name: [result.top1 for result in trials] for name, trials in results.items()}
    averages = [fmean(trial) for trial in zip(*top1.values(), strict=True)]
    rows = [HeldOut(name, trials, fmean(top1[name]), _spread(top1[name])) for name, trials in results.items()]
    return OutOfDistribution(rows, fmean(averages), _spread(averages))


def _spread(values: Sequence[float]) -> float:
    """The standard deviation of a sample, 0 of one value."""
    return stdev(values) if len(values) > 1 else 0.0
