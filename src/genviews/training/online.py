"""Watching an encoder while it trains."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from ..data import Images, extract
from ..errors import DataError
from ..metrics import knn


class OnlineKNN(Callback):
    """Logs `knn`, the accuracy of a fifth of labelled training images by the other four fifths; no test image is seen.

    Args:
        images: Labelled, of the training part.
        every: Steps between measurements.
        k: Neighbours.

    Raises:
        DataError: If the images have no labels.
    """

    def __init__(self, images: Images, every: int, k: int = 5):
        if (images.labels < 0).any():
            raise DataError("watching by nearest neighbours needs labels; name a labelled data set")
        self.images, self.every, self.k = images, every, k

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, *_: Any) -> None:
        if trainer.global_step % self.every == 0:
            features, labels = extract(module.encoder, self.images, device=module.device, progress=False)
            queries = slice(None, None, 5)
            bank = torch.ones(len(labels), dtype=torch.bool)
            bank[queries] = False
            score = knn((features[bank], labels[bank]), (features[queries], labels[queries]), k=self.k)
            module.log("knn", score.top1)
