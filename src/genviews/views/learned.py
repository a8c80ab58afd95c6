"""Views learned of real images in a generator: rendered to disk once, and drawn from anew at each training step."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data import Images
from ..data.features import evaluating
from ..errors import DataError, OptionError, RunError, ShapeError, require_positive
from ..generators.base import Generator
from ..latents.search import SearchOptions, w_search
from ..latents.transforms import LatentTransform
from ..randomness import as_seeds, derive, sample_seeds, uniform
from .inverted import fingerprint
from .moved import DRAWN, perturbed, render_rows, require_fit
from .rendering import describe, fill
from .sources import Pair, RealViews
from .store import Configuration, Store


class Learning(Protocol):
    """A way to learn views.

    Attributes:
        views: n, of each image.
    """

    @property
    def views(self) -> int: ...

    def describe(self) -> dict[str, Any]:
        """What tells it from another, for JSON."""
        ...

    def learn(self, generator: Generator, latents: Tensor, images: Tensor, seeds: Tensor) -> dict[str, Tensor]:
        """Arrays of a store by name, among them `latents` (B, 1 + n, D), of latents (B, D) of the uint8 images (B, C, H, W)."""
        ...


@dataclass(frozen=True)
class Perturb:
    """W-perturb: each view is the latent moved at random.

    Attributes:
        transform: T_z: `Gaussian(0.2, None)` (the paper's best sigma), or `Shell(0.2)`, "projected to radius sigma sqrt(dim)".
        views: n.
    """

    transform: LatentTransform
    views: int = 8

    def __post_init__(self) -> None:
        require_positive(views=self.views)

    def describe(self) -> dict[str, Any]:
        return describe(self.transform)

    def learn(self, generator: Generator, latents: Tensor, images: Tensor, seeds: Tensor) -> dict[str, Tensor]:
        return {"latents": torch.cat([latents[:, None], perturbed(self.transform, latents, self.views, seeds)], dim=1)}


@dataclass(frozen=True)
class Search:
    """W-search; see `latents.w_search`.

    Attributes:
        encoder: f, frozen, as by `encoders.embedder`.
        options: With a boundary.
        target: What distances are from: the "reconstruction" (the authors' code) or the "real" image (the paper's text).
        progress: Show a bar of each shard's anchors.
    """

    encoder: nn.Module
    options: SearchOptions
    target: str = "reconstruction"
    progress: bool = True

    def __post_init__(self) -> None:
        if self.target not in ("reconstruction", "real"):
            raise OptionError(f"target is {self.target!r}; choose reconstruction or real")

    @property
    def views(self) -> int:
        return self.options.views

    def describe(self) -> dict[str, Any]:
        return {"class": "Search", "target": self.target, **asdict(self.options), "encoder": describe(self.encoder)}

    def learn(self, generator: Generator, latents: Tensor, images: Tensor, seeds: Tensor) -> dict[str, Tensor]:
        own, targets = torch.zeros(len(latents), device=latents.device), None
        if self.target == "real":
            with torch.no_grad(), evaluating(self.encoder):
                real = images.to(latents.device).float() / 255
                targets, seen = (F.normalize(self.encoder(part), dim=1) for part in (real, generator(latents)))
            own = torch.linalg.vector_norm(targets - seen, dim=1)
        o, bar = self.options, self.progress
        found = w_search(generator, self.encoder, latents, options=o, targets=targets, seeds=seeds, progress=bar)
        return {
            "latents": torch.cat([latents[:, None], found.latents], dim=1),
            "distances": torch.cat([own[:, None], found.distances], dim=1),
            "spread": found.spread,
            "loss": found.loss,
            "converged": found.converged,
        }


def render_learned(
    generator: Generator,
    latents: Tensor,
    images: Images,
    out: Path | str,
    learning: Learning,
    *,
    keep: Tensor | None = None,
    seed: int = 0,
    codec: str = "raw",
    shard_size: int = 256,
    batch_size: int = 64,
    rank: int = 0,
    world_size: int = 1,
    resume: bool = False,
    progress: bool = True,
) -> Store:
    """Learns views of real images and renders them to a folder, for `LearnedViews` to read.

    Row i holds the reconstruction G(w) of the i-th image that is kept, then its n views: a function of the image's latent and of
    (seed, image) alone. Interrupted and resumed, the files are those of an uninterrupted run; see `render`.

    Args:
        generator: G, frozen, in the space of the latents, on the device to work on.
        latents: w, float32 (N, D), of the first N images, inverted.
        images: N real images or more.
        out: The folder; empty or new, unless it holds this very store and `resume` is set.
        learning: `Search` or `Perturb`.
        keep: bool (N,), which images have views; all if None.
        seed: Of the views.
        codec: "raw", "jpeg" or "latents", as of `render`.
        shard_size: Images in a shard; a shard is what an interruption loses.
        batch_size: Rows rendered in a call of G.
        rank: Which of the processes this is.
        world_size: How many processes render into `out`.
        resume: Keep the finished shards in `out` and make the others.
        progress: Show a bar if the standard error is a terminal.

    Raises:
        ShapeError: If latents, images or `keep` do not fit each other or the generator.
        OptionError: If an option is impossible, or no image is kept.
        RunError: If `out` holds something else, or cannot be written.
    """
    require_fit(latents, images, generator)
    count = len(latents)
    if keep is not None and (keep.shape != (count,) or keep.dtype != torch.bool):
        raise ShapeError(f"keep is {keep.dtype} {tuple(keep.shape)} for {count} latents; give bool ({count},)")
    if generator.num_conditions is not None:
        raise OptionError("the generator takes conditions, which inverted images have none of; use a space without, such as w")
    kept = torch.arange(count) if keep is None else keep.cpu().nonzero()[:, 0]
    if not len(kept):
        raise OptionError("no image is kept; raise the threshold of errors")
    latents = latents.detach().cpu().float()
    configuration = Configuration(
        generator=describe(generator),
        transform=learning.describe(),
        pairs=len(kept),
        seed=seed,
        truncation=None,
        num_conditions=None,
        conditions=None,
        codec=codec,
        shard_size=shard_size,
        batch_size=batch_size,
        latent_dim=generator.latent_dim,
        image_shape=generator.image_shape,
        views=1 + learning.views,
        anchors={
            "count": count,
            "images": fingerprint(images, count),
            "latents": hashlib.sha256(latents[kept].numpy().data).hexdigest(),
        },
    )

    def draw(rows: Tensor) -> dict[str, Tensor]:
        chosen = kept[rows]
        seeds = sample_seeds(seed, chosen).to(generator.device)
        found = learning.learn(generator, latents[chosen].to(generator.device), images[chosen][0], seeds)
        return found | {"image": chosen}

    return fill(Path(out), configuration, generator, draw, rank=rank, world_size=world_size, resume=resume, progress=progress)


def require_made_of(
    store: Store, *, images: Images | None = None, generator: Generator | None = None, encoder: nn.Module | None = None
) -> None:
    """Refuses what a store of learned views was not made with.

    Raises:
        RunError: Names what differs.
        DataError: If its views are not learned of real images.
    """
    config = store.config
    if config.anchors is None:
        raise DataError(f"{store.path} holds pairs from a generator's prior, no views of real images; read it as pairs")
    made = config.anchors["images"], config.generator["sha256"], config.transform.get("encoder", {}).get("sha256")
    given = {
        "set of images": None if images is None else fingerprint(images, min(len(images), config.anchors["count"])),
        "generator": None if generator is None else describe(generator)["sha256"],
        "encoder": None if encoder is None else describe(encoder)["sha256"],
    }
    for (name, other), was in zip(given.items(), made, strict=True):
        if other not in (None, was):
            raise RunError(f"{store.path} was made with another {name} (sha256 {was}, not {other}); name the one of its making")


class LearnedViews(RealViews):
    """Real images, each with m of its n stored views, drawn anew at each step.

    Both views of a pair are the real image, which T_x makes differ; `Pair.generated` is (B, m, C, H, W).

    Args:
        images: Those that the store was made of.
        store: By `render_learned`.
        drawn: m.
        generator: Renders a store of latents; superfluous otherwise.

    Raises:
        RunError: If the store was made of other images, or with another generator.
        DataError: If it is not rendered to its end, or holds no learned views.
        OptionError: If it has fewer than m views, or holds latents only and there is no generator.
    """

    def __init__(self, images: Images, store: Store, drawn: int = 1, generator: Generator | None = None):
        super().__init__(images)
        latents = store.config.codec == "latents"
        require_made_of(store, images=images, generator=generator)
        if store.missing:
            raise DataError(f"{store.path} lacks {len(store.missing)} shards; render it to its end with --resume")
        if not 1 <= drawn < store.config.views:
            raise OptionError(f"drawn is {drawn}; {store.path} has 1 to {store.config.views - 1} views of each image to draw")
        if latents and generator is None:
            raise OptionError(f"{store.path} holds latents only; name the generator that renders them")
        self.store, self.drawn, self.generator = store, drawn, generator if latents else None

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        rows = self.store.read("latents" if self.generator else "images", indices)
        return *self.images[self.store.read("image", indices)], rows[:, 1:]

    @torch.no_grad()
    def forward(self, *fetched: Tensor, seeds: Tensor | None = None, encoder: nn.Module | None = None) -> Pair:
        *real, views = fetched
        order = uniform(derive(as_seeds(seeds, len(views), views.device), DRAWN), views.shape[1]).argsort(1)
        chosen = views[torch.arange(len(views), device=views.device)[:, None], order[:, : self.drawn]]
        generated = chosen.float() / 255 if self.generator is None else render_rows(self.generator, chosen)
        return super().forward(*real)._replace(generated=generated)
