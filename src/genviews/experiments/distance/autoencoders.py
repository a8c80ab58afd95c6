"""What the tables of DAE have in common: from a row to an autoencoder, and how well it generates."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ... import data as datasets
from ... import devices, encoders
from ...data import Splits
from ...encoders import Features
from ...errors import require_positive
from ...evaluation import Autoencoding, autoencoding
from ...generators import Generator
from ...training import (
    AUTOENCODERS,
    PRIORS,
    ClassifierOptions,
    GANOptions,
    PretrainOptions,
    VQGANOptions,
    Weakening,
    simclr_autoencoder,
    train_autoencoder,
    train_classifier,
    train_prior,
)
from ...views import DecodedImages, GeneratedImages
from ..cache import Cache
from ..recipes import GeneratorRecipe, trained

SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A row of DAE's tables.

    Attributes:
        family: "dcgan", or of `training.AUTOENCODERS`.
        encoder: How a row with an encoder has it trained: with the decoder, with a weak one before it, or by SimCLR.
        prior: Of `training.PRIORS`; None for samples from N(0, I).
    """

    family: str
    encoder: Literal["joint", "decoupled", "simclr"] = "joint"
    prior: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How large, where and how long a table of DAE is run.

    Attributes:
        data: Images by name or path.
        image_size: Side in pixels.
        options: Changes of each family's options of training, and of the priors'.
        architecture: Arguments of each family's constructor, and of the priors'.
        discriminator: Arguments of the discriminators' constructors.
        vqgan: What the networks of a VQGAN descend.
        weaken: The decoder of a first stage.
        simclr: How SimCLR pretrains.
        features: What FIDs are measured with, of `encoders.features`; None for a classifier, trained as `classifier` says.
        classifier: How.
        samples: How many an FID takes.
        seeds: Runs a row.
    """

    data: str
    image_size: int = 32
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    architecture: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    discriminator: Mapping[str, Any] = field(default_factory=dict)
    vqgan: VQGANOptions = field(default_factory=VQGANOptions)
    weaken: Weakening = field(default_factory=Weakening)
    simclr: PretrainOptions = field(default_factory=PretrainOptions)
    features: str | None = None
    classifier: ClassifierOptions = field(default_factory=ClassifierOptions)
    samples: int = 10_000
    seeds: int = 3

    def __post_init__(self) -> None:
        require_positive(image_size=self.image_size, samples=self.samples)


def judged(generator: Generator, scale: Scale, seed: int, cache: Cache) -> Autoencoding:
    """How well a generator of a row reconstructs and generates."""
    splits = datasets.load(scale.data, scale.image_size)
    return autoencoding(generator, splits, judge(scale, splits, cache), samples=scale.samples, seed=seed)


def judge(scale: Scale, splits: Splits, cache: Cache) -> Features:
    """What FIDs stand on."""
    if scale.features:
        return encoders.features(scale.features)
    with cache.folder("judges", [scale.data, scale.image_size, scale.classifier]) as folder:
        return train_classifier(splits, scale.classifier, name=Path(scale.data).stem, out=folder, resume=True)


def autoencoder(spec: Spec, scale: Scale, seed: int, cache: Cache) -> Any:
    """The generator of a row before its prior, trained or found."""
    images = datasets.load(scale.data, scale.image_size).train
    changes = {**scale.options.get(spec.family, {}), "seed": seed}
    architecture = scale.architecture.get(spec.family, {})
    if spec.family not in AUTOENCODERS:
        dcgan = GeneratorRecipe(
            family=spec.family,
            image_size=scale.image_size,
            options=changes,
            architecture=architecture,
            discriminator=scale.discriminator,
            objective=GANOptions(),
        )
        return trained(dcgan, scale.data, images, cache)[0]
    options = replace(AUTOENCODERS[spec.family].options, **changes)
    weaken = scale.weaken if spec.encoder == "decoupled" else None
    encoder, recipe = None, replace(scale.simclr, seed=seed)
    if spec.encoder == "simclr":
        with cache.folder("simclr", [scale.data, scale.image_size, architecture, recipe]) as folder:
            encoder = simclr_autoencoder(images, recipe, folder, resume=True, architecture=architecture)
    objective = scale.vqgan if spec.family == "vqgan" else None
    made_of = [scale.data, scale.image_size, options, architecture, scale.discriminator, objective, weaken]
    with cache.folder("autoencoders", [spec.family, *made_of, recipe if encoder else None]) as folder:
        found = train_autoencoder(
            spec.family,
            images,
            options,
            folder,
            resume=True,
            architecture=architecture,
            discriminator=scale.discriminator,
            objective=objective,
            weaken=weaken,
            encoder=encoder,
        )
    return found.to(devices.best())


def with_prior(spec: Spec, scale: Scale, seed: int, cache: Cache) -> Generator:
    """The generator of a row with its prior, trained or found."""
    kind = str(spec.prior)
    vqgan = autoencoder(spec, scale, seed, cache)
    options = replace(PRIORS[kind].options, **scale.options.get(kind, {}), seed=seed)
    architecture = scale.architecture.get(kind, {})
    made_of = [replace(scale, seeds=0, samples=1), replace(spec, prior=None), options, architecture]
    with cache.folder("priors", [kind, *made_of]) as folder:
        images = datasets.load(scale.data, scale.image_size).train
        prior = train_prior(kind, vqgan, images, options, folder, resume=True, architecture=architecture)
    return prior.to(devices.best())


def pictured(spec: Spec, scale: Scale, cache: Cache) -> Tensor:
    """Above samples of the prior; below, where there is an encoder, test images and their reconstructions.

    Returns:
        uint8 (SHOWN, C, 1 or 3 H, W).
    """
    found = autoencoder(spec, scale, 0, cache)
    sampled = with_prior(spec, scale, 0, cache) if spec.prior else found
    few = torch.arange(SHOWN)
    rows = [GeneratedImages(sampled, SHOWN)[few][0]]
    if found.encodes:
        test = datasets.load(scale.data, scale.image_size).test
        rows += [test[few][0], DecodedImages(found, test)[few][0]]
    return torch.cat(rows, dim=2)
