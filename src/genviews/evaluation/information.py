"""How much two views of an image share, by kind of view, and how far apart they lie: Table 1 and Figure 2 of "On assimilating
learned views in contrastive learning"."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import pearsonr, spearmanr
from torch import Tensor, nn
from tqdm import tqdm

from ..augmentations import Augmentation, Recipe
from ..data.features import device_of, evaluating
from ..errors import DataError, GenviewsError, require_positive
from ..metrics import CriticOptions, info_nce_bound, inner_product_proxy, mine
from ..randomness import derive, sample_seeds
from ..views import Views

ESTIMATES = ("mine", "info_nce", "proxy")


@dataclass(frozen=True)
class Kind:
    """One way to make two views of an image.

    Attributes:
        views: The images. The second view is the first of `Pair.generated` where a source has any.
        augment: T_x of both; the images as they are if not given.
    """

    views: Views
    augment: Augmentation = field(default_factory=lambda: Augmentation(Recipe()))

    def __call__(self, indices: Tensor, seeds: Tensor, encoder: nn.Module) -> tuple[Tensor, Tensor]:
        """Both views float32 (B, C, H, W) of the images `indices` (B,), drawn by `seeds` (B,) and on their device."""
        first, second = self.images(indices, seeds, encoder)
        return self.augment(first, derive(seeds, 1)), self.augment(second, derive(seeds, 2))

    def images(self, indices: Tensor, seeds: Tensor, encoder: nn.Module) -> tuple[Tensor, Tensor]:
        """The same before T_x."""
        pair = self.views(*(part.to(seeds.device) for part in self.views[indices]), seeds=seeds, encoder=encoder)
        return pair.first, pair.second if pair.generated is None else pair.generated[:, 0]


@dataclass(frozen=True)
class Information:
    """What two views of a kind share.

    Attributes:
        mine: Nats, see `metrics.mine`.
        info_nce: Nats, at most the logarithm of the number of pairs; see `metrics.info_nce_bound`.
        proxy: In [-1, 1], see `metrics.inner_product_proxy`.
        distances: Between the l2-normalised embeddings of each pair, (N,) in [0, 2].
    """

    mine: float
    info_nce: float
    proxy: float
    distances: Tensor

    @property
    def distance(self) -> float:
        """The mean distance."""
        return float(self.distances.mean())

    def numbers(self) -> dict[str, float]:
        """The estimates and the mean distance, by name."""
        return {name: getattr(self, name) for name in (*ESTIMATES, "distance")}


class Correlation(NamedTuple):
    """Of an estimate with the mean distance, over kinds; each in [-1, 1]."""

    pearson: float
    spearman: float


def mutual_information(
    embedder: nn.Module,
    kinds: Mapping[str, Kind],
    *,
    samples: int = 10_000,
    temperature: float = 0.1,
    critic: CriticOptions | None = None,
    seed: int = 0,
    batch_size: int = 256,
) -> dict[str, Information]:
    """Estimates how much the views of each kind tell of each other, on the embedder's device.

    Args:
        embedder: Images float32 (B, C, H, W) in [0, 1] -> embeddings (B, P) of length 1, as `encoders.embedder` opens; works in
            eval mode.
        kinds: Name -> what makes the two views. All are measured on the same number of pairs, that of the smallest, spread evenly
            over each; sources of one length show the same images.
        samples: Pairs at most.
        temperature: Of `metrics.info_nce_bound`.
        critic: How MINE's critic learns.
        seed: Of the views and the critic: pair i of a seed is the same for any batch size.
        batch_size: Pairs embedded at once.

    Returns:
        Name -> what its views share.

    Raises:
        OptionError: If `samples`, `batch_size` or `temperature` is not positive.
        DataError: If there are no kinds, fewer pairs than a batch of the critic, or an encoder has collapsed.
        NonFiniteError: If an embedding is NaN or infinite, or MINE diverges.
    """
    require_positive(samples=samples, batch_size=batch_size, temperature=temperature)
    if not kinds:
        raise DataError("there are no kinds of views to compare; give one or more")
    count = min(samples, *(len(kind.views) for kind in kinds.values()))
    table = {}
    for name, kind in (bar := tqdm(kinds.items(), delay=2, leave=False, disable=None)):
        bar.set_description(name)
        with _naming(name):
            first, second = embed_pairs(embedder, kind, spread(len(kind.views), count), seed, batch_size)
            table[name] = Information(
                mine=mine(first, second, critic, seed),
                info_nce=float(info_nce_bound(first, second, temperature)),
                proxy=float(inner_product_proxy(first, second)),
                distances=(first - second).norm(dim=1).cpu(),
            )
    return table


def correlations(table: Mapping[str, Information]) -> dict[str, Correlation]:
    """How each estimate goes with the mean distance over kinds; empty for fewer than three, or where an estimate or the distance
    is the same for all."""
    columns = {name: np.array([row.numbers()[name] for row in table.values()]) for name in (*ESTIMATES, "distance")}
    if len(table) < 3 or not all(np.ptp(values) for values in columns.values()):
        return {}
    distance = columns.pop("distance")
    return {
        name: Correlation(float(pearsonr(values, distance)[0]), float(spearmanr(values, distance)[0]))
        for name, values in columns.items()
    }


@torch.no_grad()
def embed_pairs(embedder: nn.Module, kind: Kind, indices: Tensor, seed: int, batch_size: int = 256) -> tuple[Tensor, Tensor]:
    """Embeddings (N, P) of the first and the second views of the images `indices` (N,)."""
    device = device_of(embedder)
    kind.views.to(device)
    with evaluating(embedder), evaluating(kind.views):
        parts = [
            [embedder(images) for images in kind(batch, sample_seeds(seed, batch).to(device), embedder)]
            for batch in tqdm(indices.split(batch_size), "embedding", delay=2, leave=False, disable=None)
        ]
    first, second = (torch.cat(side) for side in zip(*parts, strict=True))
    return first, second


@torch.no_grad()
def gallery(embedder: nn.Module, kind: Kind, anchors: int, draws: int, seed: int) -> Tensor:
    """A few images, each followed by second views of it: float32 (A, 1 + draws, C, H, W), on the embedder's device."""
    indices, device = spread(len(kind.views), anchors), device_of(embedder)
    kind.views.to(device)
    seeds, plain = sample_seeds(seed, indices).to(device), Augmentation(Recipe(), kind.augment.size)
    with evaluating(kind.views):
        views = [plain(kind.images(indices, seeds, embedder)[0])]
        views += [kind(indices, derive(seeds, 3 + draw), embedder)[1] for draw in range(draws)]
    return torch.stack(views, 1)


def spread(total: int, count: int) -> Tensor:
    """At most `count` of the indices below `total`, evenly spread, int64."""
    return torch.arange(count) * total // count if count < total else torch.arange(total)


@contextmanager
def _naming(kind: str) -> Iterator[None]:
    try:
        yield
    except GenviewsError as error:
        raise type(error)(f"{kind}: {error}") from None
