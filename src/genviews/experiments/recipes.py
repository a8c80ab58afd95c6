"""Generators that a table has trained first."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import devices
from ..data import Images
from ..generators import Generator
from ..training import DEFAULTS, GANOptions, VAEOptions, train_generator
from .cache import Cache


@dataclass(frozen=True, kw_only=True)
class GeneratorRecipe:
    """A generator that is trained first, on the images of the table.

    Attributes:
        family: Of `training.DEFAULTS`.
        image_size: Side in pixels.
        options: Changes of the family's defaults.
        architecture: Arguments of the family's constructor.
        discriminator: Arguments of its discriminator's.
        objective: What a GAN's networks descend or a VAE minimises; None for the default.
    """

    family: str
    image_size: int
    options: Mapping[str, Any] = field(default_factory=dict)
    architecture: Mapping[str, Any] = field(default_factory=dict)
    discriminator: Mapping[str, Any] = field(default_factory=dict)
    objective: GANOptions | VAEOptions | None = None


def trained(recipe: GeneratorRecipe, data: str, images: Images, cache: Cache) -> tuple[Generator, Path]:
    """The generator of a recipe, trained on the images of `data` or found, and its run folder."""
    objective = recipe.objective
    with cache.folder("generators", [data, recipe]) as folder:
        generator = train_generator(
            recipe.family,
            images,
            replace(DEFAULTS[recipe.family], **recipe.options),
            folder,
            resume=True,
            architecture=recipe.architecture,
            discriminator=recipe.discriminator,
            vae=objective if isinstance(objective, VAEOptions) else None,
            gan=objective if isinstance(objective, GANOptions) else None,
        )
    return generator.to(devices.best()), folder
