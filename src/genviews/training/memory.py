"""A queue that moves with the optimiser."""

from typing import Any

import torch
from torch import Tensor

from ..losses import Queue, gather


class Memory(Queue):
    """A queue that all keys of a step enter when the step is done, so none looks for its positive among its negatives.

    Keys of several devices enter in the order of the global batch: the queue is the single process's.
    """

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.fresh: list[Tensor] = []

    def remember(self, keys: Tensor) -> None:
        """Keeps this device's keys (B, D) of a batch, and all others', for `advance`."""
        everyone = gather(keys.detach()).unflatten(0, (-1, len(keys)))
        self.fresh.append(everyone.transpose(0, 1).flatten(0, 1))

    def advance(self) -> None:
        """Pushes what was remembered."""
        self.push(torch.cat(self.fresh))
        self.fresh.clear()
