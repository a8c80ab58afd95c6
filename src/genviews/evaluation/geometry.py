"""What an encoder or a generator does to distances: neighbourhoods, alignment, uniformity, Lipschitz constants, dimensions."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from tqdm import tqdm

from .. import augmentations, metrics
from ..data import Images
from ..data.features import device_of, evaluating
from ..errors import DataError, require_positive
from ..generators import Generator
from ..metrics import sne
from ..metrics.geometry import spread, standardise
from ..metrics.sne import Neighbourhoods
from ..randomness import derive, sample_seeds, shuffled
from ..views.sources import draw_conditions

Map = Callable[..., Tensor]
"""Inputs (B, ...) and the `rows` (B,) of them that they are -> outputs (B, ...)."""


@dataclass(frozen=True)
class GeometryOptions:
    """How geometry is measured.

    Attributes:
        samples: Images of the test part, and latents, or all images if there are fewer.
        shown: Images whose two views the neighbourhoods P and Q are of.
        augmentation: T_x by name; "simclr" for colour and "mnist" for grey images if None.
        temperature: Of SimCLR's Q.
        t_temperature: Of t-SimCLR's Q.
        df: Degrees of freedom of t-SimCLR's Q.
        perplexity: Of the P of SNE and t-SNE.
        iterations: Of the power method, for the Jacobians.
        gromov_wasserstein: Whether the distances across dimensions, which take a minute, are measured too.
        restarts: Of these distances.
        batch_size: Jacobians at once.
        seed: Of the samples, their views and all random starts.
    """

    samples: int = 256
    shown: int = 64
    augmentation: str | None = None
    temperature: float = 0.5
    t_temperature: float = 8.0
    df: float = 5.0
    perplexity: float = 15.0
    iterations: int = 30
    gromov_wasserstein: bool = False
    restarts: int = 4
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(samples=self.samples, shown=self.shown, iterations=self.iterations, batch_size=self.batch_size)


@dataclass(frozen=True)
class Stretch:
    """What a map does to distances, both of its spaces standardised (`metrics.geometry.standardise`).

    Attributes:
        local: The spectral norm of the Jacobian at each sample, (N,).
        ratios: |f(x) - f(x')| / |x - x'| of all pairs of samples, (P,).
        gromov_wasserstein: Between what goes in and what comes out; None if not asked for.
        cai_lim: Likewise.
    """

    local: NDArray
    ratios: NDArray
    gromov_wasserstein: float | None
    cai_lim: float | None

    def numbers(self) -> dict[str, float | None]:
        """What stands for it in results.json."""
        low, middle, high = np.quantile(self.ratios, (0.05, 0.5, 0.95)).tolist()
        return {
            "local_median": float(np.median(self.local)),
            "local_max": float(self.local.max()),
            "ratio_median": middle,
            "ratio_low": low,
            "ratio_high": high,
            "ratio_max": float(self.ratios.max()),
            "gromov_wasserstein": self.gromov_wasserstein,
            "cai_lim": self.cai_lim,
        }


@dataclass(frozen=True)
class Geometry:
    """The geometry of representations; `numbers` makes it JSON.

    Attributes:
        alignment: Of two views of each image; see `metrics.alignment`.
        uniformity: Of the views; see `metrics.uniformity`.
        participation_ratio: Of the representations of unaugmented images.
        dimensions: D.
        neighbourhoods: "SNE", "t-SNE", "SimCLR" and "t-SimCLR" -> P and Q of `shown` first and as many second views.
        maps: "encoder", and "generator" if there is one -> what it does to distances.
        samples: How many images.
    """

    alignment: float
    uniformity: float
    participation_ratio: float
    dimensions: int
    neighbourhoods: dict[str, Neighbourhoods]
    maps: dict[str, Stretch]
    samples: int

    @property
    def losses(self) -> dict[str, float]:
        """What each of these methods minimises: KL(P || Q), of pairs of views plus log 2n, in nats."""
        return {
            name: float(both.kl) + (math.log(len(both.p)) if "SimCLR" in name else 0.0)
            for name, both in self.neighbourhoods.items()
        }

    def numbers(self) -> dict[str, Any]:
        """What results.json has of it."""
        return {
            "alignment": self.alignment,
            "uniformity": self.uniformity,
            "participation_ratio": self.participation_ratio,
            "dimensions": self.dimensions,
            "losses": self.losses,
            "maps": {name: stretch.numbers() for name, stretch in self.maps.items()},
            "samples": self.samples,
        }

    def arrays(self) -> dict[str, NDArray]:
        """What its pictures are drawn from."""
        found = {f"p:{name}": both.p.cpu().numpy() for name, both in self.neighbourhoods.items()}
        found |= {f"q:{name}": both.q.cpu().numpy() for name, both in self.neighbourhoods.items()}
        found |= {f"local:{name}": stretch.local for name, stretch in self.maps.items()}
        return found | {f"ratios:{name}": stretch.ratios for name, stretch in self.maps.items()}


def geometry(
    encoder: nn.Module, data: Images, options: GeometryOptions | None = None, generator: Generator | None = None
) -> Geometry:
    """Measures the geometry of an encoder's representations and, if there is one, of a generator's images.

    SNE and t-SNE have P from the distances between the pixels of the views, and Q from their representations, at the scale that
    makes the KL least, since they learn theirs; SimCLR and t-SimCLR have P from the pairs. That scale, and that images are
    compared by their pixels, is this project's choice.

    Args:
        encoder: float32 images (B, C, H, W) in [0, 1] -> (B, D), whatever its loss normalises.
        data: Two images or more, of a size the encoder takes.
        options: See `GeometryOptions`.
        generator: G, of which latents and images are compared; on a device of its own.

    Raises:
        DataError: If there are fewer than two images, or representations are not finite, or all one point.
        OptionError: If the perplexity does not suit the number of views.
    """
    o = options or GeometryOptions()
    if len(data) < 2:
        raise DataError(f"there are {len(data)} images; geometry takes two or more")
    device = device_of(encoder)
    chosen = shuffled(len(data), o.seed)[: o.samples]
    chosen = chosen[data.labels[chosen].argsort(stable=True)]  # classes side by side
    images, seeds = data[chosen][0].to(device).float() / 255, sample_seeds(o.seed, chosen).to(device)
    name = o.augmentation or ("mnist" if data.image_shape[0] == 1 else "simclr")
    if generator is not None:
        generator.require_smooth()
    augment = augmentations.create(name, data.image_shape[-1])
    views = [augment(images, derive(seeds, view)) for view in (1, 2)]
    f = _of_encoder(encoder)
    with evaluating(encoder):
        first, second, representations = (_mapped(f, part, o) for part in (*views, images))
        maps = {"encoder": _stretch(f, images, seeds, o, "encoder")}
    if generator is not None:
        seeds = sample_seeds(o.seed, torch.arange(o.samples)).to(generator.device)
        latents, render = (
            generator.sample_latents(o.samples, rng=seeds),
            _of_generator(generator, draw_conditions(generator, seeds)),
        )
        with evaluating(generator):
            maps["generator"] = _stretch(render, latents, seeds, o, "generator")
    shown = torch.linspace(0, len(chosen) - 1, min(o.shown, len(chosen)), device=device).long()
    pixels = torch.cat([view[shown].flatten(1) for view in views])
    pair = first[shown], second[shown]
    return Geometry(
        alignment=metrics.alignment(first, second),
        uniformity=(metrics.uniformity(first) + metrics.uniformity(second)) / 2,
        participation_ratio=metrics.participation_ratio(representations),
        dimensions=representations.shape[1],
        neighbourhoods={
            "SNE": _at_its_scale(sne.sne, pixels, torch.cat(pair), o.perplexity),
            "t-SNE": _at_its_scale(sne.t_sne, pixels, torch.cat(pair), o.perplexity),
            "SimCLR": sne.simclr(*pair, o.temperature),
            "t-SimCLR": sne.t_simclr(*pair, o.t_temperature, o.df),
        },
        maps=maps,
        samples=len(chosen),
    )


def _of_encoder(encoder: nn.Module) -> Map:
    return lambda images, rows: encoder(images)


def _of_generator(generator: Generator, condition: Tensor | None) -> Map:
    """Each latent under a condition of its own."""
    return lambda latents, rows: generator(latents, None if condition is None else condition[rows])


def _batches(inputs: Tensor, o: GeometryOptions) -> tuple[Tensor, ...]:
    return torch.arange(len(inputs), device=inputs.device).split(o.batch_size)


@torch.no_grad()
def _mapped(f: Map, inputs: Tensor, o: GeometryOptions) -> Tensor:
    """f of all inputs (N, ...), flattened, (N, D)."""
    return torch.cat([f(inputs[rows], rows).flatten(1) for rows in _batches(inputs, o)])


def _stretch(f: Map, inputs: Tensor, seeds: Tensor, o: GeometryOptions, name: str) -> Stretch:
    before, after = inputs.flatten(1), _mapped(f, inputs, o)
    ratios = metrics.lipschitz_ratios(before, after)
    local = [
        metrics.jacobian_norms(partial(f, rows=rows), inputs[rows], o.iterations, seeds[rows])
        for rows in tqdm(_batches(inputs, o), f"Jacobians, {name}", leave=False, disable=None)
    ]
    across: list[float | None] = [None, None]
    if o.gromov_wasserstein:
        sets = standardise(before), standardise(after)
        measures = tqdm((metrics.gromov_wasserstein, metrics.cai_lim), f"dimensions, {name}", leave=False, disable=None)
        across = [distance(*sets, paired=True, restarts=o.restarts, seed=o.seed) for distance in measures]
    scale = spread(before) / spread(after)
    return Stretch(scale * torch.cat(local).double().cpu().numpy(), ratios.cpu().numpy(), *across)


def _at_its_scale(view: Callable[..., Neighbourhoods], inputs: Tensor, embeddings: Tensor, perplexity: float) -> Neighbourhoods:
    """P and Q where the embeddings are scaled to the least KL."""
    embeddings = standardise(embeddings, "representations")

    def scaled(exponent: float) -> Neighbourhoods:
        return view(inputs, math.exp(exponent) * embeddings, perplexity)

    return scaled(minimize_scalar(lambda exponent: float(scaled(exponent).kl), bounds=(-3, 6), method="bounded").x)
