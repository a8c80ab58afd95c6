"""Views learned in a generator's latent space: as far from their image, in an encoder's eyes, as wanted, and spread out."""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from ..data.features import evaluating
from ..errors import NonFiniteError, OptionError, ShapeError, require_choices, require_positive
from ..generators.base import Generator
from ..losses import spread, view_search
from ..losses.search import Distance
from ..randomness import as_seeds, derive, normal, sample_seeds
from .descent import RowAdam

UNIFORMITY = 5 / 3
"""eps2 over eps1 as the paper's best settings have it: .5 / .3 on CIFAR-10, .35 / .2 on CIFAR-100."""


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How views are searched; the defaults are the authors' where the images do not set them.

    Attributes:
        views: n, for each anchor.
        boundary: eps1, the distance from the anchor's embedding (under "cosine", the cosine); None for `measured`.
        uniformity: eps2, the distance between views below which they repel; `UNIFORMITY` times eps1 if None.
        weight: lambda, of the views' repulsion.
        distance: "norm" or "cosine".
        lr: Of Adam.
        steps: At most so many.
        tolerance: An anchor is done where its loss falls below.
        noise: Standard deviation, around the anchor's latent, of where all views but the first begin.
        batch_size: Anchors at once.
    """

    views: int = 8
    boundary: float | None = None
    uniformity: float | None = None
    weight: float = 0.01
    distance: Distance = "norm"
    lr: float = 0.01
    steps: int = 1000
    tolerance: float = 1e-3
    noise: float = 0.001
    batch_size: int = 64

    def __post_init__(self) -> None:
        require_choices(self)
        require_positive(
            uniformity=self.uniformity,
            lr=self.lr,
            steps=self.steps,
            tolerance=self.tolerance,
            noise=self.noise,
            batch_size=self.batch_size,
        )
        if self.views < 2:
            raise OptionError(f"views is {self.views}; views are spread by their distances to each other, so take 2 or more")
        if self.boundary is not None and not (0 < self.boundary < 2 if self.distance == "norm" else -1 < self.boundary < 1):
            raise OptionError(
                f"boundary is {self.boundary}; embeddings of length 1 have distances in (0, 2) and cosines in (-1, 1)"
            )

    def measured(self, distances: Tensor) -> "SearchOptions":
        """These options with a boundary: their own, or the mean of `expert_distances` (B,), the paper's heuristic (under "cosine"
        the mean cosine)."""
        if self.boundary is not None:
            return self
        return replace(self, boundary=float((distances if self.distance == "norm" else 1 - distances.square() / 2).mean()))

    @property
    def repulsion(self) -> float:
        """eps2: `uniformity`, or what stands for it."""
        boundary = self.boundary or 0.0
        return self.uniformity or UNIFORMITY * (boundary if self.distance == "norm" else math.sqrt(2 - 2 * boundary))


@dataclass(frozen=True)
class Searched:
    """What a search found for each of N anchors; all are reported, those that did not converge too.

    Attributes:
        latents: float32 (N, n, D), the views'.
        distances: float32 (N, n), |h - h0| of each view's embedding from its anchor's.
        spread: float32 (N,), the mean distance between views.
        loss: float32 (N,), the objective at these latents.
        steps: int64 (N,), that Adam took.
        converged: bool (N,), whether the loss fell below the tolerance.
    """

    latents: Tensor
    distances: Tensor
    spread: Tensor
    loss: Tensor
    steps: Tensor
    converged: Tensor


@torch.no_grad()
def w_search(
    generator: Generator,
    encoder: nn.Module,
    latents: Tensor,
    *,
    options: SearchOptions,
    targets: Tensor | None = None,
    seeds: Tensor | None = None,
    progress: bool = True,
) -> Searched:
    """W-search: n latents near each anchor's, whose images an encoder sees at a distance eps1 from it, and apart from each other.

    Minimises `losses.view_search` of f(G(w)) by Adam, many anchors at once. An anchor that is done leaves and another takes its
    place, so that what is found for one depends on its latent and its seed alone, but for the last bits of a float, which the
    paths of views enlarge.

    Args:
        generator: G, in the space of the latents.
        encoder: f: images (B, C, H, W) -> embeddings (B, P), as of `encoders.embedder`; run in eval mode, l2-normalised here.
        latents: w, float32 (N, D), of the anchors: of real images, inverted.
        options: See `SearchOptions`; with a boundary.
        targets: (N, P), the embeddings that distances are from, such as the real images' (the paper's text); those of the
            reconstructions G(w) if None (the authors' code).
        seeds: Of the anchors, int64 (N,); those of the run 0 if None.
        progress: Show a bar if the standard error is a terminal.

    Returns:
        N rows, on the device of the latents.

    Raises:
        OptionError: If the options have no boundary, or there are seeds for another number of anchors.
        ShapeError: If the latents are not (N, D), or there are targets for another number.
    """
    o = options
    if o.boundary is None:
        raise OptionError("boundary is None; give one, or take options.measured(expert_distances(...))")
    if latents.ndim != 2 or not len(latents) or (targets is not None and len(targets) != len(latents)):
        wrong = "" if targets is None else f" and targets {tuple(targets.shape)}"
        raise ShapeError(f"w_search takes latents (N, D), N > 0, and a target for each; got {tuple(latents.shape)}{wrong}")
    generator.require_smooth()
    waiting = torch.arange(len(latents), device=latents.device)
    seeds = sample_seeds(0, waiting) if seeds is None else as_seeds(seeds, len(latents), latents.device)
    adam, done = RowAdam(o.lr), []
    active = steps = waiting[:0]
    moving, aims = latents[:0, None].expand(-1, o.views, -1), None
    bar = tqdm(total=len(latents), desc="searching views", unit="anchor", leave=False, disable=None if progress else True)
    with evaluating(generator), evaluating(encoder), bar:
        while len(active) or len(waiting):
            joining, waiting = waiting.tensor_split([o.batch_size - len(active)])
            active, steps = torch.cat([active, joining]), torch.cat([steps, torch.zeros_like(joining)])
            moving = torch.cat([moving, _beginnings(latents[joining], seeds[joining], o)])
            with torch.enable_grad():
                views = _embed(generator, encoder, moving.requires_grad_().flatten(0, 1)).unflatten(0, moving.shape[:2])
                own = views.detach()[steps == 0, 0] if targets is None else F.normalize(targets[joining], dim=1)
                aims = own if aims is None else torch.cat([aims, own])
                loss = view_search(views, aims, o.boundary, o.repulsion, o.weight, o.distance)
                (gradient,) = torch.autograd.grad(loss.sum(), moving)
            converged, moving = loss < o.tolerance, moving.detach()
            if not (going := ~converged & (steps < o.steps)).all():
                distances = torch.linalg.vector_norm(views - aims[:, None], dim=2)
                state = active, moving, distances, spread(views).mean(1), loss, steps, converged
                done.append([part[~going].detach() for part in state])
                bar.update(int((~going).sum()))
                active, steps, moving, aims, gradient = (part[going] for part in (active, steps, moving, aims, gradient))
                adam.keep(going)
            moving, steps = moving + adam.step(gradient), steps + 1
    order, *found = map(torch.cat, zip(*done, strict=True))
    searched = Searched(*(part[order.argsort()] for part in found))
    if not (finite := searched.loss.isfinite() & searched.latents.isfinite().flatten(1).all(1)).all():
        raise NonFiniteError(f"anchor {int(finite.int().argmin())} has no finite views; lower lr, or check encoder and generator")
    return searched


def _embed(generator: Generator, encoder: nn.Module, latents: Tensor) -> Tensor:
    """f(G(w)) of latents (B, D), l2-normalised: (B, P)."""
    return F.normalize(encoder(generator(latents)), dim=1)


def _beginnings(latents: Tensor, seeds: Tensor, o: SearchOptions) -> Tensor:
    """Where the views of anchors (B, D) begin: the first at the anchor, the others around it, (B, n, D)."""
    noise = [o.noise * normal(derive(seeds, view), latents.shape[1]) for view in range(1, o.views)]
    return latents[:, None] + torch.stack([torch.zeros_like(latents), *noise], dim=1)


@torch.no_grad()
def expert_distances(encoder: nn.Module, images: Tensor, augmentation: nn.Module, seeds: Tensor) -> Tensor:
    """How far apart an encoder sees two expert views of the same image: |f(T(x)) - f(T'(x))|, l2-normalised.

    Args:
        encoder: f, run in eval mode.
        images: float32 (B, C, H, W) in [0, 1].
        augmentation: T_x, called with the images and seeds.
        seeds: Of the images, int64 (B,).

    Returns:
        float32 (B,), in [0, 2].
    """
    with evaluating(encoder):
        first, second = (F.normalize(encoder(augmentation(images, derive(seeds, key))), dim=1) for key in (1, 2))
    return torch.linalg.vector_norm(first - second, dim=1)


def fast_gradient_views(
    generator: Generator, encoder: nn.Module, latents: Tensor, step: float, count: int, seeds: Tensor, noise: float = 0.001
) -> Tensor:
    """W-search in one step (Appendix E): w' = w + step * sign(gradient of |f(G(w)) - f(G(w0))|^2), from near w0.

    At w0 itself the gradient is 0; the noise that leaves it is what makes views differ.

    Args:
        generator: G, in the space of the latents.
        encoder: f, as it is now; run in eval mode, l2-normalised here.
        latents: w0, float32 (B, D).
        step: How far every dimension moves.
        count: Views of each.
        seeds: int64 (B,).
        noise: Standard deviation of the noise.

    Returns:
        float32 (B, count, D), without gradients.
    """
    near = torch.stack([latents + noise * normal(derive(seeds, view), latents.shape[1]) for view in range(count)], dim=1)
    exact = torch.autocast(latents.device.type, enabled=False)  # whose rounding is larger than the noise
    with exact, evaluating(generator), evaluating(encoder), torch.enable_grad():
        near.requires_grad_()
        views = _embed(generator, encoder, torch.cat([latents, near.flatten(0, 1)]))
        anchors, views = views.split([len(latents), len(latents) * count])
        away = (views.unflatten(0, near.shape[:2]) - anchors.detach()[:, None]).square().sum()
        (gradient,) = torch.autograd.grad(away, near)
    return near.detach() + step * gradient.sign()
