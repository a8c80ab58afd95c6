"""Flows by maximum likelihood."""

from typing import Any

import torch
from torch import Tensor

from ..randomness import sample_seeds
from ..views.sources import RealViews
from .generator_learner import GeneratorLearner, GeneratorOptions

_FIRST = 1024  # images that a flow's normalisations are initialised by


class MaximumLikelihood(GeneratorLearner):
    """A flow learns to give dequantised images a high density; `bits_per_dim` is the loss in the field's unit.

    Args:
        flow: A `Flow`; its normalisations are initialised by the first images.
        views: The images.
        options: See `GeneratorOptions`.
    """

    def __init__(self, flow: Any, views: RealViews, options: GeneratorOptions):
        super().__init__(flow, views, options)
        first = torch.arange(min(len(views), _FIRST))
        images = views(*views[first]).first
        flow.initialise(flow.dequantise(images, sample_seeds(options.seed, first)))

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], step: int) -> Tensor:
        fetched, seeds = batch
        images = self.views(*fetched).first
        loss = self.generator.bits_per_dim(images, seeds).mean()
        self.log_dict({"loss": loss, "bits_per_dim": loss})
        return loss
