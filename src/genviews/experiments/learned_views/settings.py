"""What the cells of the tables of learned views have in common: from a real image to its views in a generator, to an encoder."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ... import data as datasets
from ... import devices, encoders, generators
from ...data import Images, Splits, Subset
from ...encoders import Encoder
from ...evaluation import probe
from ...generators import Generator
from ...latents import Gaussian, LatentTransform, SearchOptions, Shell, expert_distances
from ...latents.inversion import InversionOptions, Method
from ...metrics import CriticOptions
from ...randomness import sample_seeds
from ...reports.run_folder import read_metrics
from ...training import InversionEncoderOptions, PretrainOptions, pretrain, train_inversion_encoder
from ...training.discovery_parts import in_space
from ...views import (
    Inversion,
    LearnedViews,
    Perturb,
    PerturbedViews,
    RealViews,
    Search,
    SearchedViews,
    Store,
    Views,
    invert_images,
    render_learned,
)
from ...views.rendering import describe
from ..cache import Cache
from ..recipes import GeneratorRecipe, trained

PROBES = {"linear": "linear", "linear-10": "linear, 10 labels a class", "knn-5": "5-NN"}
"""The columns of a table of probes; the paper has the first alone."""

MEASURED = 512
"""Images whose expert views set the boundary of the search."""

SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A row of the tables of learned views.

    Attributes:
        views: Of each real image besides expert ones: None; "search" or "perturb", cached; "perturb-online", new at each step; or
            "search-online", one signed gradient step against the encoder as it is.
        assimilate: "a1" or "a2", where there are such views, or of a ViewMaker's.
        recipe: Changes of the scale's pretraining.
        search: Changes of the scale's W-search.
        std: Of W-perturb; the scale's if None.
        projected: Whether W-perturb moves all views equally far.
        cached: n, views kept of each image; the scale's if None.
        drawn: m, of which so many enter a step.
        generator: Of the scale's.
        inversion: How images are inverted; the scale's way if None.
        longer: How many times as many steps the encoder learns.
    """

    views: str | None = None
    assimilate: Literal["a1", "a2"] | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)
    std: float | None = None
    projected: bool = False
    cached: int | None = None
    drawn: int = 1
    generator: str = "gan"
    inversion: Method | None = None
    longer: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How large, where and how long a table of learned views is run.

    Attributes:
        data: Images by name or path.
        generators: By name or path, or how to train each on the data: "gan", "vae", and "augmented", a GAN of augmented images.
        images: How many of the first training images encoders learn from; None for all.
        seeds: Encoders a row.
        encoder: How each encoder is pretrained.
        embedder: Changes of that for f, which sees how far views are: SimCLR, once for all.
        inversion: How images are inverted, in w where there is one.
        method: Of inversion.
        inverter: How the in-domain encoder learns.
        search: W-search.
        std: Of W-perturb.
        step: Of the search in the training step.
        cached: n.
        probe: Arguments of the linear probe.
        critic: How MINE's critic learns.
    """

    data: str
    generators: Mapping[str, str | GeneratorRecipe]
    images: int | None = None
    seeds: int = 3
    encoder: PretrainOptions = field(default_factory=PretrainOptions)
    embedder: Mapping[str, Any] = field(default_factory=dict)
    inversion: InversionOptions = field(default_factory=InversionOptions)
    method: Method = "auto"
    inverter: InversionEncoderOptions = field(default_factory=InversionEncoderOptions)
    search: SearchOptions = field(default_factory=SearchOptions)
    std: float = 0.2
    step: float = 0.1
    cached: int = 8
    probe: Mapping[str, Any] = field(default_factory=dict)
    critic: CriticOptions = field(default_factory=CriticOptions)


def probes(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """The accuracies of `PROBES`."""
    encoder, data = pretrained(spec, scale, seed, cache)
    results = probe(encoder, data, tuple(PROBES), seed=seed, device=devices.best(), **scale.probe)
    return {name: result.top1 for name, result in results.items()}


def pretrained(spec: Spec, scale: Scale, seed: int, cache: Cache) -> tuple[Encoder, Splits]:
    """The encoder of a row and seed, trained or found, and the real images."""
    views, made_of, data = opened(spec, scale, cache)
    recipe = recipe_of(spec, scale, seed)
    with cache.folder("encoders", [made_of, recipe]) as folder:
        return pretrain(views, recipe, folder, resume=True), data


def recipe_of(spec: Spec, scale: Scale, seed: int) -> PretrainOptions:
    """How the encoder of a row and seed is pretrained."""
    steps = max(1, round(spec.longer * scale.encoder.steps))
    return replace(scale.encoder, steps=steps, seed=seed, assimilate=spec.assimilate, **spec.recipe)


def curve(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """The accuracies of `quarters`, by nearest neighbours among the training images."""
    views, made_of, data = opened(spec, scale, cache)
    recipe, names = recipe_of(spec, scale, seed), list(quarters(scale))
    with cache.folder("watched", [made_of, recipe]) as folder:
        every = max(1, recipe.steps // len(names))
        pretrain(views, recipe, folder, resume=True, watch=data.train, log_every=every)
        seen = read_metrics(folder / "metrics.csv")["knn"]
    return dict(zip(names, seen[: len(names)].tolist(), strict=True))


def quarters(scale: Scale) -> dict[str, str]:
    """The columns of a training watched four times."""
    steps = scale.encoder.steps
    return {f"knn-{share}": f"5-NN at {max(1, steps * share // 4)} steps" for share in range(1, min(4, steps) + 1)}


def opened(spec: Spec, scale: Scale, cache: Cache) -> tuple[Views, list[Any], Splits]:
    """The views of a row, what they are made of, and the real images."""
    generator, images, data = generator_and_images(spec, scale, cache)
    made_of: list[Any] = [scale.data, len(images), images.image_shape]
    if spec.views is None:
        return RealViews(images), made_of, data
    inversion, inverted = invert(spec, scale, generator, images, cache)
    views: Views
    if spec.views == "search-online":
        views, how = SearchedViews(images, inversion.latents, generator, scale.step, spec.drawn), [inverted, scale.step]
    elif spec.views == "perturb-online":
        move = transform(spec, scale)
        views, how = PerturbedViews(images, inversion.latents, generator, move, spec.drawn), [inverted, describe(move)]
    else:
        store, how = learned(spec, scale, generator, images, inversion, inverted, cache)
        views = LearnedViews(images, store, spec.drawn)
    return views, [*made_of, spec.views, how, spec.drawn], data


def generator_and_images(spec: Spec, scale: Scale, cache: Cache) -> tuple[Generator, Images, Splits]:
    """The generator of a row, trained or found and seen from w if it has it; the images it learns from, and all."""
    recipe = scale.generators[spec.generator]
    if isinstance(recipe, str):
        generator = generators.load(recipe).to(devices.best())
        data = datasets.load(scale.data, generator.image_shape[-1])
    else:
        data = datasets.load(scale.data, recipe.image_size)
        generator = trained(recipe, scale.data, data.train, cache)[0]
    images = Subset(data.train, torch.arange(min(scale.images or len(data.train), len(data.train))))
    return in_space(generator, None)[0], images, data


def invert(spec: Spec, scale: Scale, generator: Generator, images: Images, cache: Cache) -> tuple[Inversion, list[Any]]:
    """The latents of the images, found or to be found, and how they are."""
    method = spec.inversion or scale.method
    how = [scale.data, len(images), describe(generator), method, scale.inversion, scale.inverter]
    encoder = None
    if method == "in-domain" or (method in ("auto", "encode") and not generator.encodes):
        with cache.folder("inverters", [scale.data, len(images), describe(generator), scale.inverter]) as folder:
            encoder = train_inversion_encoder(generator, images, scale.inverter, folder, resume=True).to(devices.best())
    with cache.folder("inversions", how) as folder:
        generator.to(devices.best())  # training leaves it on the CPU
        return invert_images(generator, images, folder, method=method, encoder=encoder, options=scale.inversion, resume=True), how


def transform(spec: Spec, scale: Scale) -> LatentTransform:
    """The T_z of W-perturb."""
    std = spec.std or scale.std
    return Shell(std) if spec.projected else Gaussian(std, None)


def learned(
    spec: Spec, scale: Scale, generator: Generator, images: Images, inversion: Inversion, inverted: list[Any], cache: Cache
) -> tuple[Store, list[Any]]:
    """The store of a row's views, made or found of latents that are `inverted` so, and what it is made of."""
    count = spec.cached or scale.cached
    learning: Search | Perturb
    if spec.views == "perturb":
        learning = Perturb(transform(spec, scale), count)
    else:
        options = replace(scale.search, views=count, **spec.search)
        embedder, distances = embedder_and_distances(scale, images, cache)
        learning = Search(embedder.to(devices.best()), options.measured(distances))
    made_of = [*inverted, learning.describe()]
    with cache.folder("learned", made_of) as folder:
        generator.to(devices.best())
        return render_learned(generator, inversion.latents, images, folder, learning, resume=True), made_of


def embedder_and_distances(scale: Scale, images: Images, cache: Cache) -> tuple[nn.Module, Tensor]:
    """f, which sees how far views are from their image, and how far it sees the expert views of some images apart."""
    recipe = replace(scale.encoder, seed=0, **scale.embedder)
    with cache.folder("encoders", [scale.data, len(images), images.image_shape, recipe]) as folder:
        pretrain(RealViews(images), recipe, folder, resume=True, description="embedder")
        embedder = encoders.embedder(folder).to(devices.best())
    indices = torch.arange(min(MEASURED, len(images)))
    seen = images[indices][0].to(devices.best()).float() / 255
    augment = recipe.augment(images.image_shape).to(seen.device)
    return embedder, expert_distances(embedder, seen, augment, sample_seeds(0, indices).to(seen.device))


def rows(spec: Spec, scale: Scale, cache: Cache) -> Tensor | None:
    """A few real images, each beside its reconstruction and views, (SHOWN, C, H, (2 + n) W); None where no views are cached."""
    if spec.views not in ("search", "perturb"):
        return None
    generator, images, _ = generator_and_images(spec, scale, cache)
    store, _ = learned(spec, scale, generator, images, *invert(spec, scale, generator, images, cache), cache)
    indices = torch.arange(min(SHOWN, len(images)))
    shown = torch.cat([images[indices][0][:, None], store.read("images", indices)], dim=1)
    return torch.cat(list(shown.unbind(1)), dim=3)
