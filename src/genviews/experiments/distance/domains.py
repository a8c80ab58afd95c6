"""What the tables of domains have in common: data sets with domains, and encoders that have seen nothing of the one held out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ... import data as datasets
from ... import devices
from ...data import DomainImages, Images, Subset
from ...encoders import Encoder
from ...errors import require_positive
from ...evaluation import ZooOptions
from ...training import PretrainOptions, pretrain
from ...views import RealViews
from ..cache import Cache

METHODS = ("simclr", "moco", "byol", "simsiam", "t-simclr", "t-moco", "nnclr", "supcon")

TITLES = {"pacs": "PACS", "vlcs": "VLCS", "officehome": "Office-Home"}

WHERE = (
    "Scales smoke and small ask for PACS with `--data`, scale paper looks for the folders PACS, VLCS and OfficeHome; "
    "`--settings.vlcs` and `--settings.officehome` name the others."
)
SEEN = (
    "At scales smoke and small an encoder is pretrained for each domain held out, on the images of the others, so that it has "
    "seen none of it; scale paper pretrains on ImageNet."
)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How large, where and how long a table of domains is run.

    Attributes:
        data: PACS, as `data.domains` opens it.
        vlcs: VLCS; None leaves its column out.
        officehome: Office-Home; None leaves its column out.
        images: What encoders are pretrained on, by name or path; None for the domains that are not held out.
        image_size: Side in pixels that all images are loaded at; their own if None.
        seeds: Encoders of each method.
        encoder: How each is pretrained.
        objectives: Method -> its arguments.
        methods: Of the zoo's encoders, one of each.
        zoo: How a zoo is ranked; its trials are those of every accuracy.
    """

    data: str = "PACS"
    vlcs: str | None = None
    officehome: str | None = None
    images: str | None = None
    image_size: int | None = None
    seeds: int = 3
    encoder: PretrainOptions = field(default_factory=PretrainOptions)
    objectives: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    methods: tuple[str, ...] = METHODS
    zoo: ZooOptions = field(default_factory=ZooOptions)

    def __post_init__(self) -> None:
        require_positive(image_size=self.image_size)

    @property
    def sets(self) -> dict[str, str]:
        """Column -> path of each data set there is."""
        paths = {"pacs": self.data, "vlcs": self.vlcs, "officehome": self.officehome}
        return {name: path for name, path in paths.items() if path}


def columns(scale: Scale) -> dict[str, str]:
    """A column for each of the papers' data sets and one for their average; those that a scale has not stay empty."""
    return {**TITLES, "average": "average"}


def averaged(numbers: Mapping[str, float]) -> dict[str, float]:
    """The numbers of the data sets, and their average where there are all."""
    found = dict(numbers)
    return found | ({"average": sum(found.values()) / len(found)} if len(found) == len(TITLES) else {})


def opened(name: str, scale: Scale) -> DomainImages:
    """One of the scale's data sets."""
    return datasets.domains(scale.sets[name], scale.image_size)


def pretrained(method: str, name: str, data: DomainImages, held: int, scale: Scale, seed: int, cache: Cache) -> Encoder:
    """The encoder of a method and seed for the domain held out of one of the scale's data sets, trained or found."""
    images: Images = Subset(data.images, (data.domains != held).nonzero()[:, 0])
    made_of: list[Any] = [data.fingerprint, held]
    if scale.images:
        images = datasets.load(scale.images, scale.image_size).train
        made_of = [scale.images, scale.image_size, len(images)]
    recipe = replace(scale.encoder, method=method, seed=seed, objective=scale.objectives.get(method, {}))
    with cache.folder("encoders", [made_of, recipe]) as folder:
        found = pretrain(
            RealViews(images), recipe, folder, resume=True, description=f"{method} without {data.domain_names[held]}"
        )
    return found.to(devices.best())


SMOKE = Scale(
    seeds=2,
    encoder=PretrainOptions(steps=2, batch_size=16, image_size=16, augmentation="simclr"),
    zoo=ZooOptions(trials=1),
)
"""Two steps of everything: says that a table runs, and nothing about its rows."""

SMALL = Scale(encoder=PretrainOptions(steps=150, batch_size=64, image_size=32, augmentation="simclr"))
"""A subset of PACS, a three-layer convolutional encoder at 32 px."""

PAPER = Scale(
    vlcs="VLCS",
    officehome="OfficeHome",
    images="imagenet",
    image_size=224,
    seeds=1,
    encoder=PretrainOptions(
        backbone="resnet50", augmentation="simclr", image_size=224, steps=1_000_000, batch_size=256, lr=0.03, warmup=0
    ),
    objectives={
        "moco": {"queue": 65_536, "momentum": 0.999},
        "t-moco": {"queue": 65_536, "momentum": 0.999, "temperature": 5.0, "df": 10.0},
    },
)
"""MoCo v2's recipe on ImageNet in the folder "imagenet": 200 epochs, ResNet-50. t-MoCo's df and temperature are this project's
choice, as are the other methods of the zoo."""

SCALES: Mapping[str, Scale] = {"smoke": SMOKE, "small": SMALL, "paper": PAPER}
