"""What the tables of t-SimCLR and t-MoCo (Hu et al. 2023) have in common: encoders that learned from real images."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ... import data as datasets
from ...data import Splits
from ...training import FinetuneOptions, PretrainOptions, pretrain
from ...views import RealViews
from ..cache import Cache


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A row.

    Attributes:
        method: Of pretraining, of the scale's.
        dim: d, of the embedding; the scale's if None.
    """

    method: str
    dim: int | None = None


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How large, where and how long a table is run.

    Attributes:
        data: Images by name or path, to learn from.
        encoders: Method -> how its encoders are pretrained.
        seeds: Encoders a row.
        transfer: Names or paths of the data sets that encoders are transferred to.
        finetune: How; None for linear probes.
    """

    data: str
    encoders: Mapping[str, PretrainOptions]
    seeds: int = 3
    transfer: tuple[str, ...] = ()
    finetune: FinetuneOptions | None = None


def under(options: PretrainOptions, methods: Mapping[str, Mapping[str, Any]]) -> dict[str, PretrainOptions]:
    """The options of each method: these, with its own changes."""
    return {method: replace(options, method=method, **changes) for method, changes in methods.items()}


def pretrained(spec: Spec, scale: Scale, seed: int, cache: Cache) -> tuple[Path, Splits]:
    """The folder of the encoder of a row and seed, trained or found, and the images it learned from."""
    data = datasets.load(scale.data)
    recipe = replace(scale.encoders[spec.method], seed=seed)
    if spec.dim is not None:
        recipe = replace(recipe, projector_dim=spec.dim)
    with cache.folder("encoders", [[scale.data, len(data.train), data.train.image_shape], recipe]) as folder:
        pretrain(RealViews(data.train), recipe, folder, resume=True)
    return folder, data
