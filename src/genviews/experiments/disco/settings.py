"""What the cells of DisCo's tables (Ren et al. 2022) have in common: from a generator and a method to codes and their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ... import data as datasets
from ... import devices, encoders, generators
from ...encoders import Encoder
from ...errors import OptionError, require_positive
from ...evaluation import disentanglement
from ...evaluation.directions import Walks, effects
from ...evaluation.disentanglement import Metric
from ...generators import DiscoVAE, Generator
from ...latents import Directions
from ...metrics import DCI
from ...training import ClassifierOptions
from ...training.discovery import discover
from ...views.rendering import describe
from ..cache import Cache
from ..recipes import GeneratorRecipe, trained

SCORES = {"mig": "MIG", "dci": "DCI"}
"""The columns of most tables."""

IN_PERCENT = (
    "Scores are in percent: the paper's MIG of .512 is 51.2. DCI is the disentanglement score; its trees are grown on binned "
    "codes, as `metrics.dci` says."
)

PICTURED = "An image moved along the directions that act most purely."

SHOWN, SHIFTS = 3, 7


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A row of DisCo's tables.

    Attributes:
        generator: Of the scale's.
        method: Of `training.discovery.DISCOVERIES`; None for the generator's own encoder.
        options: Changes of the scale's options of the method.
        positives: N / (N + K), the share of the positives among the keys; the scale's if None.
        kept: The VAE of the scale's generators whose encoder is kept, so that the directions alone are learned (Appendix E).
    """

    generator: str = "gan"
    method: str | None = "disco"
    options: Mapping[str, Any] = field(default_factory=dict)
    positives: float | None = None
    kept: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How large, where and how long a table of DisCo is run.

    Attributes:
        data: Images with known factors, by name or path.
        generators: By name or path, or how to train each: "gan", "vae" and "flow" for methods to discover directions in, and
            those with an encoder of their own.
        methods: Name -> options of discovery.
        seeds: Runs a row.
        runs: Seeds that share a pretrained generator; an encoder that a generator is trained with is trained for each.
        samples: Of `evaluation.disentanglement`.
        attributes: How the classifier of each factor is trained, for Table 3.
        classified: Images that it learns from; a tenth as many test it.
        anchors: Latents that Table 3 edits, each both ways along every direction.
        strengths: Of its edits, up to the largest shift of the scale's DisCo.
    """

    data: str
    generators: Mapping[str, str | GeneratorRecipe]
    methods: Mapping[str, Any]
    seeds: int = 3
    runs: int = 1
    samples: int = 10_000
    attributes: ClassifierOptions = field(default_factory=ClassifierOptions)
    classified: int = 10_000
    anchors: int = 32
    strengths: int = 6

    def __post_init__(self) -> None:
        require_positive(runs=self.runs, classified=self.classified, anchors=self.anchors, strengths=self.strengths)


def scores(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """MIG and DCI's disentanglement of a row's codes."""
    return measured(("mig", "dci"), spec, scale, seed, cache)


def measured(metrics: Sequence[Metric], spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """These metrics of a row's codes."""
    encoder, side = represented(spec, scale, seed, cache)
    data = datasets.factors(scale.data, side)
    result = disentanglement(encoder.to(devices.best()), data, metrics=metrics, samples=scale.samples, seed=seed)
    numbers = {name: getattr(result, name) for name in metrics}
    return {name: value.disentanglement if isinstance(value, DCI) else value for name, value in numbers.items()}


def represented(spec: Spec, scale: Scale, seed: int, cache: Cache) -> tuple[nn.Module, int]:
    """What makes codes of images in a row, trained or found, and the side of its images."""
    if spec.method is not None:
        generator, _, encoder = discovered(spec, scale, seed, cache)
        return encoder, generator.image_shape[-1]
    generator, folder = opened(spec.generator, scale, seed, cache)
    return generator if generator.encodes else encoders.load(folder / "encoder"), generator.image_shape[-1]


def discovered(spec: Spec, scale: Scale, seed: int, cache: Cache) -> tuple[Generator, Directions, Encoder]:
    """The generator of a row, and its directions and their encoder, learned or found."""
    if spec.method is None:
        raise OptionError(f"{spec} discovers no directions; give it a method")
    generator, _ = opened(spec.generator, scale, seed // scale.runs, cache)
    options = replace(scale.methods[spec.method], seed=seed, **spec.options)
    if spec.positives is not None:
        keys = options.positives + options.negatives
        count = round(spec.positives * keys)
        options = replace(options, positives=count, negatives=keys - count)
    if spec.kept is not None:
        options = replace(options, pretrained=str(kept_encoder(opened(spec.kept, scale, seed, cache)[0], cache)))
    with cache.folder("directions", [describe(generator), spec.method, options]) as folder:
        directions, encoder = discover(generator, spec.method, options, folder, resume=True)
    return generator.to(devices.best()), directions, encoder  # training leaves it on the CPU


def opened(name: str, scale: Scale, seed: int, cache: Cache) -> tuple[Generator, Path]:
    """One of the scale's generators, the `seed`-th that is trained by its recipe, and where it lies."""
    recipe = scale.generators[name]
    if isinstance(recipe, str):
        return generators.load(recipe).to(devices.best()), Path(recipe)
    recipe = replace(recipe, options={**recipe.options, "seed": seed})
    return trained(recipe, scale.data, datasets.factors(scale.data, recipe.image_size), cache)


def kept_encoder(vae: Generator, cache: Cache) -> Path:
    """Where the encoder of a VAE lies as one of codes alone: what gives the posterior's means, in the form of `encoders.load`.

    Raises:
        OptionError: If the generator is no DisCo VAE with an encoder.
    """
    if not isinstance(vae, DiscoVAE) or vae.encoder is None:
        raise OptionError(f"the encoder to keep is of a {type(vae).__name__}; it must be of a disco_vae")
    channels, side, _ = vae.image_shape
    encoder = Encoder("disco", channels, side, vae.latent_dim, width=vae.config["width"])
    weights = vae.encoder.state_dict()
    *_, weight, bias = weights
    encoder.backbone.load_state_dict(weights | {name: weights[name][: vae.latent_dim] for name in (weight, bias)})
    with cache.folder("kept", describe(vae)) as folder:
        encoders.save(encoder, folder)
    return folder


def traversals(spec: Spec, scale: Scale, cache: Cache) -> Tensor | None:
    """An image moved along the directions that act most purely, from left to right; None for codes without directions.

    Returns:
        (SHIFTS, C, SHOWN * H, W).
    """
    if spec.method is None:
        return None
    generator, directions, encoder = discovered(spec, scale, 0, cache)
    walks = Walks(generator, directions, anchors=16)
    shift = walks.usual_shift
    best = effects(walks, encoder.to(generator.device), shift).ranking()[:SHOWN]
    rows = [walks.along(row["direction"], torch.linspace(-shift, shift, SHIFTS))[0] for row in best]
    return torch.cat(rows, dim=2).cpu()
