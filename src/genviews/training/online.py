"""Watching an encoder while it trains, by training images alone."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from ..data import Images, Subset, extract
from ..errors import DataError
from ..metrics import knn, linear_probe
from ..randomness import shuffled

WATCHED = 5_000


class OnlineProbes(Callback):
    """Logs `knn` and `linear`, the accuracies of a fifth of labelled training images by the other four fifths.

    Args:
        images: Labelled, of the training part; of many, WATCHED drawn at random are taken.
        every: Steps between measurements.
        k: Neighbours.

    Raises:
        DataError: If the images have no labels, or a class has too few.
    """

    def __init__(self, images: Images, every: int, k: int = 5):
        if (images.labels < 0).any():
            raise DataError("watching by nearest neighbours needs labels; name a labelled data set")
        self.images, self.every, self.k, self.step = images, every, k, 0
        self.watched = shuffled(len(images), 0)[:WATCHED]
        self.query = torch.arange(len(self.watched)) % 5 == 0
        labels = images.labels[self.watched]
        if not torch.isin(labels[self.query], labels[~self.query]).all() or len(labels) < 2 * k:
            raise DataError(f"watching takes several images of each class among {len(labels)}; name a larger data set")

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, *_: Any) -> None:
        if trainer.global_step % self.every == 0 and trainer.global_step != self.step:
            self.step = trainer.global_step
            seen = Subset(self.images, self.watched)
            features, labels = extract(module.encoder, seen, device=module.device, progress=False)
            bank, query = ((features[part], labels[part]) for part in (~self.query, self.query))
            module.log_dict({"knn": knn(bank, query, k=self.k).top1, "linear": linear_probe(bank, query).top1})
