"""Directions found without training, GANSpace's, SeFa's and DeepSpectral's, and an encoder that learns to follow them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import latents
from ..encoders import Encoder
from ..errors import OptionError, require_positive
from ..generators.base import Generator
from ..latents import Directions, activation
from ..randomness import sample_seeds
from ..views.sources import draw_conditions
from .discovery_parts import in_space
from .shift_regression import ShiftRegressionOptions, regress_shifts


@dataclass(frozen=True, kw_only=True)
class ClosedFormOptions:
    """What these methods share.

    Attributes:
        count: K, the strongest directions; as many as there are, but no more than 64, if None.
        space: The latent space they are of; "w" if the generator has it, else "z", if None.
        encoder: How the encoder is trained.
        seed: Of everything.
    """

    count: int | None = None
    space: str | None = None
    encoder: ShiftRegressionOptions = field(default_factory=ShiftRegressionOptions)
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(count=self.count)


@dataclass(frozen=True, kw_only=True)
class GANSpaceOptions(ClosedFormOptions):
    """Of which principal components, of how many samples.

    Attributes:
        layer: Whose activations: "latent", "image", or a module of the generator (`latents.activation`).
        samples: How many; the authors take a million.
        batch_size: Rendered at once.
    """

    layer: str = "latent"
    samples: int = 10_000
    batch_size: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(samples=self.samples, batch_size=self.batch_size)


@dataclass(frozen=True, kw_only=True)
class SeFaOptions(ClosedFormOptions):
    """Of which weights.

    Attributes:
        layers: The first and the last of `Generator.first_weights`, from 0; all if None. In StyleGAN2's w the early ones lay
            out the image, the late ones colour it.
        normalise: Give each output's weights unit length.
    """

    layers: tuple[int, int] | None = None
    normalise: bool = True


@dataclass(frozen=True, kw_only=True)
class DeepSpectralOptions(ClosedFormOptions):
    """Of which Jacobian, at how many latents.

    Attributes:
        layer: As `GANSpaceOptions.layer`.
        samples: Over how many latents J^T J is averaged.
        batch_size: Derivatives at once.
    """

    layer: str = "image"
    samples: int = 16
    batch_size: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(samples=self.samples, batch_size=self.batch_size)


def ganspace(
    generator: Generator, options: GANSpaceOptions, out: Path | None = None, resume: bool = False, **trainer: Any
) -> tuple[Directions, Encoder]:
    """Directions by `latents.ganspace`, and their encoder.

    Args:
        generator: G.
        options: See `GANSpaceOptions`.
        out: Run folder, for the encoder's checkpoints and `metrics.csv`; None keeps nothing.
        resume: Go on from the last checkpoint in `out`.
        **trainer: Further arguments of `fit`.

    Raises:
        OptionError: If there are no such space, layer or number of directions, or the latents are isotropic: then every
            direction is a principal component.
    """
    seen, space = in_space(generator, options.space)
    if options.layer == "latent" and space == "z":
        raise OptionError(
            f"the latents z of {type(generator).__name__} are isotropic and have no principal components; set layer to image "
            "or to the name of a module of it"
        )
    activations = activation(seen, options.layer)

    @torch.no_grad()
    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for seeds in sample_seeds(options.seed, torch.arange(options.samples)).to(seen.device).split(options.batch_size):
            z = seen.sample_latents(len(seeds), rng=seeds)
            yield z, activations(z, draw_conditions(seen, seeds))

    found = latents.ganspace(batches(), seen.latent_dim).directions(options.count, space)
    return found, _encoder(generator, found, options, out, resume, **trainer)


def sefa(
    generator: Generator, options: SeFaOptions, out: Path | None = None, resume: bool = False, **trainer: Any
) -> tuple[Directions, Encoder]:
    """Directions by `latents.sefa`, and their encoder; arguments as `ganspace`'s.

    Raises:
        GenviewsError: If the latents meet no weights first.
        OptionError: If there are no such space, layers or number of directions.
    """
    seen, space = in_space(generator, options.space)
    weights = seen.first_weights()
    first, last = options.layers or (0, len(weights) - 1)
    if not 0 <= first <= last < len(weights):
        raise OptionError(f"layers is {options.layers}; {space} meets layers 0 to {len(weights) - 1}; give two of them")
    found = latents.sefa(weights[first : last + 1], options.normalise).directions(options.count, space)
    return found, _encoder(generator, found, options, out, resume, **trainer)


def deep_spectral(
    generator: Generator, options: DeepSpectralOptions, out: Path | None = None, resume: bool = False, **trainer: Any
) -> tuple[Directions, Encoder]:
    """Directions by `latents.deep_spectral`, and their encoder; arguments as `ganspace`'s.

    Raises:
        OptionError: If there are no such space, layer or number of directions.
    """
    seen, space = in_space(generator, options.space)
    seeds = sample_seeds(options.seed, torch.arange(options.samples)).to(seen.device)
    points, conditions = seen.sample_latents(len(seeds), rng=seeds), draw_conditions(seen, seeds)
    spectrum = latents.deep_spectral(activation(seen, options.layer), points, conditions, options.batch_size)
    found = spectrum.directions(options.count, space)
    return found, _encoder(generator, found, options, out, resume, **trainer)


def _encoder(
    generator: Generator, found: Directions, options: ClosedFormOptions, out: Path | None, resume: bool, **trainer: Any
) -> Encoder:
    folder = out / "encoder" if out else None
    return regress_shifts(generator, found, options.encoder, options.seed, folder, resume, **trainer)
