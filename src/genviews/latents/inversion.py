"""Inversion: the latents of images, so that G(z) is about x."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..data.features import evaluating
from ..encoders.perceptual import Perceptual
from ..errors import NonFiniteError, OptionError, ShapeError, require_positive, require_weights
from ..generators.base import Generator
from ..randomness import sample_seeds
from .descent import descend

Method = Literal["auto", "encode", "optimise", "in-domain"]


@dataclass(frozen=True, kw_only=True)
class InversionOptions:
    """How far an inversion goes.

    Attributes:
        steps: Of Adam, at most (Zhu et al.: 100; learned views: 1000).
        lr: Of Adam (both: 0.01, which gets as far in four times the steps).
        perceptual_weight: Of the perceptual term; the features' own if None.
        domain_weight: Of the in-domain regulariser.
        tolerance: An image is done when its loss has not fallen by this fraction in `patience` steps.
        patience: Steps.
        starts: Latents from the prior that "optimise" chooses a start from, beside their mean.
        batch_size: Images at once.
        seed: Of the starts.
    """

    steps: int = 400
    lr: float = 0.05
    perceptual_weight: float | None = None
    domain_weight: float = 2.0
    tolerance: float = 0.01
    patience: int = 20
    starts: int = 256
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(steps=self.steps, lr=self.lr, patience=self.patience, starts=self.starts, batch_size=self.batch_size)
        require_weights(perceptual_weight=self.perceptual_weight, domain_weight=self.domain_weight)
        if not 0 <= self.tolerance < 1:
            raise OptionError(f"tolerance is {self.tolerance}; it is a fraction of the loss, in [0, 1)")


@dataclass(frozen=True)
class Inverted:
    """Images as a generator can make them.

    Attributes:
        latents: float32 (N, D).
        errors: Mean squared error (N,) of the pixels of G(z), in [0, 1] and not clamped.
        steps: Of the optimisation, int64 (N,).
    """

    latents: Tensor
    errors: Tensor
    steps: Tensor


def mean_latent(generator: Generator, samples: int = 4096, seed: int = 0) -> Tensor:
    """The mean (D,) of latents from the prior."""
    return generator.sample_latents(samples, rng=sample_seeds(seed, torch.arange(samples))).mean(0)


def reconstruction_losses(
    rebuilt: Tensor,
    images: Tensor,
    perceptual: Perceptual | None = None,
    features: Tensor | None = None,
    weight: float | None = None,
) -> Tensor:
    """mean (x - G(z))^2 + weight * |F(x) - F(G(z))|^2 of each image, (B,), x in [-1, 1] (Zhu et al. 2020, eq. 4).

    Args:
        rebuilt: G(z), (B, C, H, W), nominally in [0, 1].
        images: x, (B, C, H, W) in [0, 1].
        perceptual: F; None for no such term.
        features: F(x), (B, F), where F is given.
        weight: Of the perceptual term; F's own if None.
    """
    losses = (2 * (rebuilt - images)).square().flatten(1).mean(1)
    if perceptual is None:
        return losses
    return losses + (perceptual.weight if weight is None else weight) * (perceptual(rebuilt) - features).square().sum(1)


def require_invertible(generator: Generator, image_shape: tuple[int, ...], encoder: nn.Module | None = None) -> None:
    """Refuses what no method can invert.

    Args:
        generator: G.
        image_shape: (C, H, W) of the images.
        encoder: E, if there is one.

    Raises:
        OptionError: If G is conditional, or in training mode.
        ShapeError: If the images are not of G's shape, or E's codes not of G's latents.
    """
    name = type(generator).__name__
    if generator.num_conditions is not None:
        raise OptionError(f"{name} takes a condition; invert in its space w, if it has one, or wrap it with one condition")
    if generator.training:
        raise OptionError("the generator is in training mode, where an image may depend on its batch; pass generator.frozen()")
    if tuple(image_shape) != tuple(generator.image_shape):
        raise ShapeError(
            f"{name} makes images {tuple(generator.image_shape)}, those to invert are {tuple(image_shape)}; "
            "convert their colours and size to the generator's"
        )
    codes = getattr(encoder, "num_features", generator.latent_dim)
    if codes != generator.latent_dim:
        raise ShapeError(f"the encoder has {codes} codes, {name} latents of {generator.latent_dim}; train one for this generator")


def choose_method(generator: Generator, encoder: nn.Module | None, method: Method) -> Method:
    """The method that "auto" stands for, or this one.

    Raises:
        OptionError: If there is no such method, or it takes an encoder that there is not.
    """
    if method not in get_args(Method):
        raise OptionError(f"method is {method!r}; choose {', '.join(get_args(Method))}")
    if method == "auto":
        return "encode" if generator.encodes else "optimise" if encoder is None else "in-domain"
    if encoder is None and (method == "in-domain" or (method == "encode" and not generator.encodes)):
        raise OptionError(
            f"method is {method!r}, but {type(generator).__name__} has no encoder and none is given; "
            "train one with train_inversion_encoder, or optimise"
        )
    return method


def invert(
    generator: Generator,
    images: Tensor,
    *,
    method: Method = "auto",
    encoder: nn.Module | None = None,
    perceptual: Perceptual | None = None,
    options: InversionOptions | None = None,
    progress: bool = True,
) -> Inverted:
    """Finds latents that render images; what is found for one does not depend on the others.

    "encode" takes the latents that an encoder gives: the generator's own, exact of a flow, or the one given. "optimise" descends
    `reconstruction_losses` from whichever of a few latents renders the nearest image. "in-domain" descends them from E(x), with
    the regulariser mean (z - E(G(z)))^2 that keeps z where E finds it again (Zhu et al. 2020, eq. 4). "auto" is "encode" where
    the generator encodes, else "in-domain" where an encoder is given, else "optimise".

    Args:
        generator: G, frozen and unconditional; one by `in_space("w")` gives latents of that space.
        images: x, float32 (N, C, H, W) in [0, 1], of G's shape; moved to its device.
        method: One of the four.
        encoder: E: images -> latents (B, D), on G's device, by `train_inversion_encoder`.
        perceptual: F, on G's device, of `encoders.perceptual`; None compares pixels alone.
        options: See `InversionOptions`; the defaults if None.
        progress: Show a bar if the standard error is a terminal.

    Returns:
        The latents with their errors and steps, on G's device.

    Raises:
        NonFiniteError: If no finite latent was found for an image.
        OptionError: If the method takes an encoder that there is not, or G is conditional or in training mode.
        ShapeError: If images, encoder and generator do not fit each other.
    """
    options = options or InversionOptions()
    if images.ndim != 4 or not len(images) or not images.is_floating_point():
        raise ShapeError(f"images are {images.dtype} {tuple(images.shape)}; pass float32 (N, C, H, W) in [0, 1] with N > 0")
    require_invertible(generator, images.shape[1:], encoder)
    method = choose_method(generator, encoder, method)
    if method != "encode":
        generator.require_smooth()
    start: Any = nearest_start(generator, options) if method == "optimise" else encoder
    if method == "encode" and generator.encodes:
        start = generator.encode
    bar = tqdm(total=len(images), desc="inverting", unit="image", delay=2, leave=False, disable=None if progress else True)
    parts = []
    with bar, torch.no_grad(), evaluating(nn.ModuleList(filter(None, (encoder, perceptual)))):
        for x in images.to(generator.device, torch.float32).split(options.batch_size):
            z, steps = start(x).float(), torch.zeros(len(x), dtype=torch.int64, device=x.device)
            if method == "encode":
                bar.update(len(x))
            else:
                losses = _losses(generator, x, encoder if method == "in-domain" else None, perceptual, options)
                z, steps = descend(
                    losses, z, options.steps, options.lr, tolerance=options.tolerance, patience=options.patience, left=bar.update
                )
            parts.append((z, (generator(z) - x).square().flatten(1).mean(1), steps))
    inverted = Inverted(*map(torch.cat, zip(*parts, strict=True)))
    if not (finite := inverted.errors.isfinite()).all():
        raise NonFiniteError(f"image {int(finite.int().argmin())} has no finite latent; lower lr, or check encoder and generator")
    return inverted


@torch.no_grad()
def nearest_start(generator: Generator, options: InversionOptions) -> Callable[[Tensor], Tensor]:
    """Images (B, C, H, W) -> of some latents from the prior and their mean, those (B, D) that render the nearest pixels."""
    seeds = sample_seeds(options.seed, torch.arange(options.starts))
    latents = torch.cat([mean_latent(generator, seed=options.seed)[None], generator.sample_latents(options.starts, rng=seeds)])
    pixels = torch.cat([generator(part).flatten(1) for part in latents.split(options.batch_size)])
    return lambda images: latents[torch.cdist(images.flatten(1), pixels).argmin(1)]


def _losses(
    generator: Generator,
    images: Tensor,
    encoder: nn.Module | None,
    perceptual: Perceptual | None,
    options: InversionOptions,
) -> Callable[[Tensor, Tensor], Tensor]:
    """What `descend` minimises: latents (b, D) of the images `rows` (b,) -> (b,); in-domain where there is an encoder."""
    features = None if perceptual is None else perceptual(images)

    def losses(z: Tensor, rows: Tensor) -> Tensor:
        rebuilt, own = generator(z), None if features is None else features[rows]
        loss = reconstruction_losses(rebuilt, images[rows], perceptual, own, options.perceptual_weight)
        return loss if encoder is None else loss + options.domain_weight * (z - encoder(rebuilt)).square().mean(1)

    return losses
