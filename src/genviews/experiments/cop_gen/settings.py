"""What the cells of COP-Gen's tables (Li et al. 2022) have in common: from a way to make positives to an encoder."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ... import data as datasets
from ... import devices, generators
from ...data import Splits
from ...encoders import Encoder
from ...evaluation import probe
from ...generators import Generator
from ...latents import Gaussian, Identity, LatentTransform, Resample
from ...training import (
    DetectorOptions,
    FinetuneOptions,
    NavigatorOptions,
    PretrainOptions,
    SteeringOptions,
    pretrain,
    train_navigator,
    train_steering,
    untrained,
)
from ...training.judges import by_samples
from ...views import RealViews, RenderedViews, Views, render
from ...views.rendering import describe
from ..cache import Cache
from ..recipes import GeneratorRecipe, trained
from ..table import Row

SHOWN = 8

PROBES = {"linear": "linear", "linear-10": "linear, 10 labels a class", "knn-5": "5-NN"}
"""The columns of a table of probes; the paper has the first alone."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A row of COP-Gen's tables.

    Attributes:
        positives: "real" images, or a generator's: "none" (T_z the identity), "gaussian", "steering", "random" (another sample
            of the condition), "untrained" (a navigator before training), "cop-gen".
        method: Of pretraining.
        objective: Its arguments, besides those of the scale if it is the scale's method.
        augmentation: T_x; the scale's if None. A navigator's is the same.
        navigator: Changes of the scale's navigator.
        longer: How many times as many steps the navigator learns.
    """

    positives: str
    method: str = "simclr"
    objective: Mapping[str, Any] = field(default_factory=dict)
    augmentation: str | None = None
    navigator: Mapping[str, Any] = field(default_factory=dict)
    longer: int = 1


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How large, where and how long a table of COP-Gen is run.

    Attributes:
        data: Images by name or path: row "real" and the probes learn from their training part.
        generator: By name or path, or how to train one; the real images are brought to the size of its own.
        seeds: Encoders a row.
        pairs: Rendered for each T_z.
        truncation: psi of the latents; None for N(0, I).
        gaussian_std: Of the Gaussian T_z.
        encoder: How each encoder is pretrained.
        navigator: How T_z is trained.
        steering: How the walks are trained.
        probe: Arguments of the linear probe.
        codec: Of the rendered pairs.
        transfer: Names or paths of the data sets that Table 2 transfers to.
        finetune: How Table 6 fine-tunes.
        detection: Pascal VOC's layout, for Table 6; None leaves detection out.
        detector: How Table 6 trains a detector.
    """

    data: str
    generator: str | GeneratorRecipe
    seeds: int = 3
    pairs: int = 10_000
    truncation: float | None = None
    gaussian_std: float = 0.2
    encoder: PretrainOptions = field(default_factory=PretrainOptions)
    navigator: NavigatorOptions = field(default_factory=NavigatorOptions)
    steering: SteeringOptions = field(default_factory=SteeringOptions)
    probe: Mapping[str, Any] = field(default_factory=dict)
    codec: str = "raw"
    transfer: tuple[str, ...] = ()
    finetune: FinetuneOptions = field(default_factory=FinetuneOptions)
    detection: str | None = None
    detector: DetectorOptions = field(default_factory=DetectorOptions)


DOWNSTREAM = (
    Row("real", "real images", Spec(positives="real")),
    Row("none", "synthetic, no T_z", Spec(positives="none")),
    Row("gaussian", "synthetic, Gaussian T_z", Spec(positives="gaussian")),
    Row("steering", "synthetic, steering T_z", Spec(positives="steering")),
    Row("cop-gen", "synthetic, COP-Gen T_z", Spec(positives="cop-gen")),
)
"""The rows of the tables of other tasks."""


def probes(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """The accuracies of `PROBES`."""
    encoder, data = pretrained(spec, scale, seed, cache)
    options = {"lr": 0.3 if spec.positives == "real" else 2.0, **scale.probe}  # the paper's, of protocol "sgd"
    results = probe(encoder, data, tuple(PROBES), seed=seed, device=devices.best(), **options)
    return {name: result.top1 for name, result in results.items()}


def pretrained(spec: Spec, scale: Scale, seed: int, cache: Cache) -> tuple[Encoder, Splits]:
    """The encoder of a row and seed, trained or found, and the real images."""
    generator, data = opened(scale, cache)
    shared = scale.encoder.objective if spec.method == scale.encoder.method else {}
    recipe = replace(
        scale.encoder,
        seed=seed,
        method=spec.method,
        objective={**shared, **spec.objective},
        augmentation=spec.augmentation or scale.encoder.augmentation,
    )
    views: Views
    if spec.positives == "real":
        views, made_of = RealViews(data.train), [scale.data, len(data.train), data.train.image_shape]
    else:
        views, made_of = rendered(spec, scale, generator, cache)
    with cache.folder("encoders", [made_of, recipe]) as folder:
        return pretrain(views, recipe, folder, resume=True), data


def opened(scale: Scale, cache: Cache) -> tuple[Generator, Splits]:
    """The generator of a scale, trained or found, and real images of its size."""
    recipe = scale.generator
    if isinstance(recipe, str):
        generator = generators.load(recipe).to(devices.best())
        return generator, datasets.load(scale.data, generator.image_shape[-1])
    data = datasets.load(scale.data, recipe.image_size)
    return trained(recipe, scale.data, data.train, cache)[0], data


def rendered(spec: Spec, scale: Scale, generator: Generator, cache: Cache) -> tuple[Views, list[Any]]:
    """The pairs of a row, and what they are made of."""
    transform = latent_transform(spec, scale, generator, cache)
    for part in (generator, transform):  # training leaves both on the CPU
        part.to(devices.best())
    made_of = [describe(generator), describe(transform), scale.pairs, scale.truncation, scale.codec]
    with cache.folder("views", made_of) as folder:
        store = render(
            generator, transform, folder, pairs=scale.pairs, truncation=scale.truncation, codec=scale.codec, resume=True
        )
    return RenderedViews(store, generator), made_of


def pairs(spec: Spec, scale: Scale, cache: Cache) -> Tensor | None:
    """A few anchors beside their positives, before T_x, (SHOWN, C, H, 2 W); None for real images."""
    if spec.positives == "real":
        return None
    views, _ = rendered(spec, scale, opened(scale, cache)[0], cache)
    first, second, *_ = views(*(part.to(devices.best()) for part in views[torch.arange(SHOWN)]))
    return torch.cat([first, second], dim=3).cpu()


def latent_transform(spec: Spec, scale: Scale, generator: Generator, cache: Cache) -> LatentTransform:
    """The T_z of a row, trained or found."""
    if spec.positives == "none":
        return Identity()
    if spec.positives == "gaussian":
        return Gaussian(scale.gaussian_std)
    if spec.positives == "random":
        return Resample(scale.truncation)
    if spec.positives == "steering":
        with cache.folder("steering", [describe(generator), scale.steering]) as folder:
            return train_steering(generator, scale.steering, out=folder, resume=True)
    changes = {"truncation": scale.truncation, "steps": spec.longer * scale.navigator.steps, **spec.navigator}
    options = replace(scale.navigator.under(spec.augmentation) if spec.augmentation else scale.navigator, **changes)
    if spec.positives == "untrained":
        return untrained(generator, options)
    judge = None
    if options.judge == "samples":  # one for all the navigators that it may judge
        with cache.folder("judges", [describe(generator), options.judged]) as folder:
            judge = by_samples(generator, options.judged, folder, resume=True)
    with cache.folder("navigators", [describe(generator), options]) as folder:
        return train_navigator(generator, options, judge, folder, resume=True).navigator
