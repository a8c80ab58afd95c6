"""What all objectives that train a generator share: the generator, the images, the optimiser."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import AdamW

from ..errors import OptionError, require_positive
from ..generators import Generator
from ..views.sources import RealViews
from .fit import Learner
from .momentum import follow, frozen_copy
from .schedule import warmup_cosine


@dataclass(frozen=True)
class GeneratorOptions:
    """How a generator is trained.

    Attributes:
        steps: Optimiser steps.
        batch_size: Images a step.
        lr: Of AdamW.
        betas: Of AdamW.
        weight_decay: Of AdamW.
        schedule: "cosine" to zero after a short warm-up, or "constant".
        clip: Largest norm of a gradient; None for any.
        ema: Decay a step of the running average of the weights, which is what is kept; 0 for none.
        seed: Of everything.
    """

    steps: int = 1500
    batch_size: int = 128
    lr: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 1e-2
    schedule: str = "cosine"
    clip: float | None = 50.0
    ema: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(steps=self.steps, batch_size=self.batch_size, lr=self.lr, clip=self.clip)
        if not 0 <= self.ema < 1:
            raise OptionError(f"ema is {self.ema}; it is a decay in [0, 1), such as 0.999")
        if self.schedule not in ("cosine", "constant"):
            raise OptionError(f"schedule is {self.schedule!r}; choose cosine or constant")


class GeneratorLearner(Learner):
    """A generator that learns from images; a subclass adds the `training_step`.

    Args:
        generator: What learns.
        views: The images.
        options: See `GeneratorOptions`.
    """

    frozen_parts: tuple[str, ...] = ("views",)

    def __init__(self, generator: Any, views: RealViews, options: GeneratorOptions):
        super().__init__()
        self.generator, self.views, self.options = generator, views, options
        self.average: Any = frozen_copy(generator) if options.ema else None

    @property
    def trained(self) -> Generator:
        """What is kept: the running average of the generator if there is one."""
        return self.average or self.generator

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        if self.average:
            self.update_average()

    @torch.no_grad()
    def update_average(self) -> None:
        """Moves the average towards the weights, faster in the first steps; buffers, such as BatchNorm's, are copied."""
        decay = min(self.options.ema, (1 + self.global_step) / (10 + self.global_step))
        follow(self.average, self.generator, decay)
        for mean, buffer in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            mean.copy_(buffer)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """What AdamW optimises; a group may have an lr of its own."""
        return [{"params": self.generator.parameters()}]

    def configure_optimizers(self) -> Any:
        o = self.options
        optimizer = AdamW(self.parameter_groups(), o.lr, betas=o.betas, weight_decay=o.weight_decay)
        if o.schedule == "constant":
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": warmup_cosine(optimizer, o.steps, o.steps // 15)}
