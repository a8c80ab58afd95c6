"""Edits along the directions that were discovered, judged by a classifier of each factor of the data."""

import torch
from torch import Tensor

from ... import data as datasets
from ... import devices
from ...data import ArrayImages, FactorDataset, Splits
from ...encoders import Features
from ...evaluation.directions import Walks
from ...metrics import manipulation_disentanglement
from ...randomness import sample_seeds
from ...training import train_classifier
from ..cache import Cache
from .settings import Scale, Spec, discovered


def manipulation(spec: Spec, scale: Scale, seed: int, cache: Cache) -> dict[str, float]:
    """The manipulation disentanglement score of a row: that of the best direction for a factor, the mean over factors."""
    generator, directions, _ = discovered(spec, scale, seed, cache)
    walks = Walks(generator, directions, scale.anchors, seed)
    judges = classifiers(scale, datasets.factors(scale.data, generator.image_shape[-1]), cache)
    strengths = torch.linspace(0, scale.methods["disco"].shift, scale.strengths + 1)
    both = torch.cat([strengths, -strengths[1:]])
    found = []
    for index in range(directions.count):
        images = walks.along(index, both)
        guesses = torch.stack([predicted(judge, images.flatten(0, 1)) for judge in judges], dim=1).unflatten(0, images.shape[:2])
        changed = (guesses[:, 1:] != guesses[:, :1]).float()  # (anchors, 2 strengths, factors)
        after = changed.unflatten(1, (2, -1)).permute(2, 0, 1, 3).flatten(1, 2)
        found.append([manipulation_disentanglement(0 * after[0], after, factor).score for factor in range(len(judges))])
    return {"mds": float(torch.tensor(found).amax(0).mean())}


def classifiers(scale: Scale, data: FactorDataset, cache: Cache) -> list[Features]:
    """A classifier of the values of each factor, trained or found."""
    seeds = sample_seeds(0, torch.arange(scale.classified + max(1, scale.classified // 10)))
    factors, images = data.sample(len(seeds), seeds)
    found: list[Features] = []
    for name, size, values in zip(data.factor_names, data.factor_sizes, factors.unbind(1), strict=True):
        everything = ArrayImages(images, values, tuple(map(str, range(size))))
        parts = Splits(*(everything.subset(part) for part in torch.arange(len(seeds)).split(scale.classified)))
        with cache.folder("classifiers", [scale.data, data.image_shape, name, scale.classified, scale.attributes]) as folder:
            found.append(train_classifier(parts, scale.attributes, name=name, out=folder, resume=True).to(devices.best()))
    return found


@torch.no_grad()
def predicted(judge: Features, images: Tensor) -> Tensor:
    """The value of its factor that a classifier sees in each of the images (B, C, H, W), int64 (B,)."""
    return torch.cat([judge.head(judge(batch)).argmax(1) for batch in images.split(256)])
