"""t-MoCo against MoCo out of distribution."""

from statistics import fmean

from ... import devices
from ...data import extract
from ...evaluation.ood import probe_out
from ..cache import Cache
from ..table import Row, Table
from .domains import SCALES, SEEN, WHERE, Scale, averaged, columns, opened, pretrained


def measure(method: str, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """The accuracy of a linear head on frozen features, on each data set's domains, held out in turn."""
    return averaged({name: _accuracy(method, name, scale, seed, cache) for name in scale.sets})


def _accuracy(method: str, name: str, scale: Scale, seed: int, cache: Cache) -> float:
    data, found = opened(name, scale), []
    for held in range(len(data.domain_names)):
        features, _ = extract(pretrained(method, name, data, held, scale, seed, cache), data.images, device=devices.best())
        found += [probe_out(features, data, held, trial).top1 for trial in range(scale.zoo.trials)]
    return fmean(found)


TABLE = Table(
    title="Out of distribution",
    source="t-MoCo against MoCo v2: accuracy on domains held out, ResNet-50, 200 epochs of ImageNet",
    columns=columns,
    rows=(
        Row("moco", "MoCo v2", "moco", {"pacs": 58.5, "vlcs": 70.4, "officehome": 36.6, "average": 55.2}),
        Row("t-moco", "t-MoCo v2", "t-moco", {"pacs": 61.3, "vlcs": 75.1, "officehome": 42.1, "average": 59.5}),
    ),
    scales=SCALES,
    measure=measure,
    notes=(
        "A linear head on frozen features, DomainBed's splits and training-domain validation: this project's reading, for the "
        "numbers come without a protocol.",
        SEEN,
        WHERE,
    ),
)
