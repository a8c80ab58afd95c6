"""The instances of an IC-GAN (Casanova et al. 2021): features of real images, in whose neighbourhoods it makes others."""

from dataclasses import dataclass
from pathlib import Path

import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

from .. import devices, encoders
from ..data import Images, extract
from ..errors import require_positive
from ..metrics import nearest
from ..views import RealViews
from .method import PretrainOptions
from .pretraining import pretrain


@dataclass(frozen=True)
class InstanceOptions:
    """What an IC-GAN is conditioned on.

    Attributes:
        encoder: What `encoders.features` opens, such as the folder of an encoder; None pretrains a small one on the images first.
        neighbours: k, how many images count as an instance's neighbourhood, itself one of them.
        stored: How many instances are kept for sampling, spread over all.
    """

    encoder: Path | None = None
    neighbours: int = 20
    stored: int = 1000

    def __post_init__(self) -> None:
        require_positive(neighbours=self.neighbours, stored=self.stored)


def instance_features(images: Images, encoder: Path | None, out: Path, seed: int = 0) -> Tensor:
    """The features float32 (N, F) of N images by an encoder, or by one that learns from them, without labels, in `out`."""
    found = encoders.features(encoder) if encoder else pretrain(RealViews(images), PretrainOptions(seed=seed), out, resume=True)
    return extract(found, images, device=devices.best())[0]


def spread(features: Tensor, count: int, seed: int = 0) -> Tensor:
    """Indices int64 (n,), n at most `count`, of the features (N, F) nearest to the centres of `count` clusters (k-means)."""
    if count >= len(features):
        return torch.arange(len(features))
    centres = MiniBatchKMeans(count, random_state=seed, n_init=3).fit(features.numpy()).cluster_centers_
    return nearest(features, torch.from_numpy(centres).to(features), 1)[1].unique()
