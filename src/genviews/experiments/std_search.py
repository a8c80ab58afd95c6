"""GenRep's search (Jahanian et al. 2022) for the std of the Gaussian T_z: an encoder for each, probed on held-out images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data import Splits, Subset
from ..errors import DataError, OptionError, require_positive
from ..generators import Generator
from ..metrics.classification import held_out
from ..reports.scores import Scores, beyond_noise
from .positives import ComparisonOptions, compare_positives


@dataclass(frozen=True)
class StdSearch:
    """What the search found.

    Attributes:
        best: The std of the highest mean accuracy by the first probe.
        close: The stds whose accuracy, paired by seed, is not beyond noise below that of `best`; with one seed all others.
        scores: Every accuracy, of a row "none" (std 0) and a row a std.
    """

    best: float
    close: tuple[float, ...]
    scores: Scores


def search_std(
    generator: Generator,
    data: Splits,
    stds: Sequence[float],
    options: ComparisonOptions,
    out: Path,
    *,
    validation: float = 0.2,
    title: str = "The std of the Gaussian T_z",
    **page: Any,
) -> StdSearch:
    """Pretrains encoders on pairs G(z), G(z + std n) of each std and compares their probes.

    No test image is seen: the probes learn from the training part without the images that are held out, and are scored on those,
    the data's validation part or else a share of each class of the training part.

    Args:
        generator: G, frozen.
        data: Labelled real images of G's shape.
        stds: To choose from.
        options: See `ComparisonOptions`; its rows and its Gaussian std are not used.
        out: The run folder, as of `compare_positives`; the page plots accuracy against std.
        validation: The share that is held out, if the data have no validation part.
        title: Of the page.
        **page: Further arguments of `compare_positives`.

    Raises:
        OptionError: If there is no std, or one that is not positive.
        DataError: If the training images have no labels.
    """
    if not stds:
        raise OptionError("stds are none; name one or more, such as 0.2")
    require_positive(std=min(stds))
    if data.train.labels.min() < 0:
        raise DataError("the search probes encoders, which takes labels; name a labelled data set")
    train, held = data.train, data.validation
    if held is None:
        mask = held_out(train.labels, validation, options.encoder.seed)
        train, held = (Subset(data.train, part.nonzero()[:, 0]) for part in (~mask, mask))
    rows = {std: f"gaussian:{std:g}" for std in sorted(stds)}
    options = replace(options, rows=("none", *rows.values()))
    note = f"Scored on {len(held):,} images that are held out of training; no test image is seen."
    results = compare_positives(generator, Splits(train, held), options, out, title=title, notes=[note], **page)
    scores = Scores.read(results, out / "results.json")
    first = options.probes[0]
    best = max(rows, key=lambda std: scores.percent(rows[std], first).mean())
    close = [s for s in rows if s != best and not beyond_noise(scores.gain(rows[s], first, rows[best]))]
    return StdSearch(best, tuple(close), scores)
