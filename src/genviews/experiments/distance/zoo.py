"""ZooD (Dong et al. 2022): encoders ranked, put together and selected from, for domains without labels."""

import json
from statistics import fmean

from ... import devices
from ...checkpoints import read_json, write_text
from ...evaluation import encode
from ...evaluation.zoo import Fold, hold_out, mean_of
from ..cache import Cache
from ..table import Row, Table
from .domains import METHODS, SCALES, SEEN, TITLES, WHERE, Scale, averaged, columns, opened, pretrained


def measure(number: str, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """One number of a zoo on each data set."""
    return averaged({name: _numbers(name, scale, seed, cache)[number] for name in scale.sets})


def _numbers(name: str, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """All numbers of a zoo on one data set, measured or found."""
    made_of = [
        opened(name, scale).fingerprint,
        scale.images,
        scale.image_size,
        scale.encoder,
        scale.objectives,
        scale.zoo,
        scale.methods,
        seed,
    ]
    with cache.folder("zoos", made_of) as folder:
        path = folder / "numbers.json"
        if not path.exists():
            write_text(path, json.dumps(_measured(name, scale, seed, cache)) + "\n")
        return read_json(path)


def _measured(name: str, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    data = opened(name, scale)

    def fold(held: int) -> Fold:
        zoo = {method: pretrained(method, name, data, held, scale, seed, cache) for method in scale.methods}
        features = {method: encode(method, encoder, data, device=devices.best()) for method, encoder in zoo.items()}
        return hold_out(features, data, held, scale.zoo)

    found = mean_of([fold(held) for held in range(len(data.domain_names))])
    return {
        "single": found.single,
        "ensemble": found.ensemble,
        "selection": found.selection,
        "mean": fmean(found.accuracy.values()),
        "hindsight": fmean(max(fold.accuracy.values()) for fold in found.folds),
        "tau": found.tau,
    }


TABLE = Table(
    title="A zoo of encoders",
    source="ZooD (Dong et al. 2022): accuracy on domains held out, 35 published encoders",
    columns=columns,
    rows=(
        Row("single", "the best by rank", "single", dict(zip(TITLES, (96.0, 79.5, 84.6), strict=True))),
        Row("ensemble", "the best K together", "ensemble", dict(zip(TITLES, (95.5, 80.1, 85.0), strict=True))),
        Row("selection", "their selected features", "selection", dict(zip(TITLES, (96.3, 80.6, 85.1), strict=True))),
        Row("mean", "mean of the zoo", "mean"),
        Row("hindsight", "the best in hindsight", "hindsight"),
        Row("tau", "100 x Kendall's tau", "tau"),
    ),
    scales=SCALES,
    measure=measure,
    notes=(
        f"The zoo is an encoder of each of {', '.join(METHODS)}, pretrained here; SupCon sees the labels of its images.",
        "By the domains that are seen alone encoders are ranked and features selected; K and the linear head are this project's "
        "choice, and so is a part of the equations, see `evaluation.zoo`.",
        "Tau is between score and accuracy in each domain held out, averaged. The last three rows are this project's.",
        SEEN,
        WHERE,
    ),
)
