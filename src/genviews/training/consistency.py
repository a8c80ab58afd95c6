"""When to stop a navigator: where its positives stop meaning what their anchors mean.

COP-Gen's authors stopped by eye. Here a judge compares, on fixed latents, G(z + T(z)) with G(z) and with G(z + T_init(z)).
"""

import math
from copy import deepcopy
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from ..errors import OptionError
from ..generators.base import Generator
from ..latents import Navigator
from ..randomness import sample_seeds
from ..views.sources import draw_conditions
from ..views.store import quantise
from .judges import Judge, calibrate

SAMPLES, SHOWN = 512, 8


class ConsistencyMonitor(Callback):
    """Scores the navigator at regular steps, pictures its positives, and stops it where the score drops.

    Args:
        judge: How alike two images are; None only takes pictures.
        generator: G.
        navigator: T_z before training.
        augment: T_x, which calibrates the judge.
        every: Steps between checks.
        tolerance: Fraction of the untrained navigator's consistency that must be kept.
        seed: Of the fixed latents.
        truncation: Of the fixed latents.

    Attributes:
        kept: Weights of the last navigator that kept it.
        kept_step: Their step.
        dropped: Whether the score fell too low.
        steps: When pictures were taken.
        pictures: Positives of the same anchors then, uint8 (SHOWN, C, H, W) each.
    """

    def __init__(
        self,
        judge: Judge | None,
        generator: Generator,
        navigator: Navigator,
        augment: nn.Module,
        *,
        every: int,
        tolerance: float,
        seed: int = 0,
        truncation: float | None = None,
    ):
        self.judge, self.generator, self.augment = judge, generator, augment
        self.every, self.tolerance, self.seed, self.truncation = every, tolerance, seed, truncation
        self.initial = deepcopy(navigator)
        self.kept, self.kept_step = weights(navigator), 0
        self.dropped = False
        self.steps: list[int] = []
        self.pictures: list[Tensor] = []

    @torch.no_grad()
    def on_train_start(self, trainer: L.Trainer, module: Any) -> None:
        seeds = sample_seeds(self.seed, -1 - torch.arange(SAMPLES)).to(module.device)
        self.latents = self.generator.sample_latents(SAMPLES, truncation=self.truncation, rng=seeds)
        self.condition = draw_conditions(self.generator, seeds)
        self.initial.to(module.device)
        self.anchors, self.starts = self.render(self.latents), self.render(self.initial(self.latents))
        if self.judge:
            self.score = calibrate(self.judge, self.anchors, self.augment, seeds)
            self.expected = float(self.score(self.anchors, self.starts))
            if not 0 < self.expected < math.inf:
                raise OptionError(
                    f"the judge finds the untrained navigator's positives no nearer to their anchors than other samples "
                    f"({self.expected:.2f}); lower init_std or choose another judge"
                )
        if not self.steps:
            self.check(module, 0)

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, *_: Any) -> None:
        if trainer.global_step % self.every == 0 and trainer.global_step not in self.steps:
            self.check(module, trainer.global_step)

    @torch.no_grad()
    def check(self, module: Any, step: int) -> None:
        positives = self.render(module.navigator(self.latents))
        self.steps.append(step)
        self.pictures.append(quantise(positives[:SHOWN]).cpu())
        if self.judge:
            consistency = float(self.score(self.anchors, positives))
            module.log_dict({"consistency": consistency, "consistency_to_initial": self.score(self.starts, positives)})
            if consistency < self.tolerance * self.expected:
                floor = f"{self.tolerance:g} of the untrained navigator's {self.expected:.2f}"
                self.dropped = True
                return module.stop(f"semantic consistency fell to {consistency:.2f}, below {floor}")
        self.kept, self.kept_step = weights(module.navigator), step

    def render(self, latents: Tensor) -> Tensor:
        return self.generator(latents, self.condition)

    def evolution(self) -> dict[str, Any]:
        """The pictures as arrays: `evolution`, `evolution_steps` and `evolution_anchors`."""
        anchors = quantise(self.anchors[:SHOWN]).cpu().numpy()
        return {
            "evolution": torch.stack(self.pictures).numpy(),
            "evolution_steps": np.array(self.steps),
            "evolution_anchors": anchors,
        }

    def state_dict(self) -> dict[str, Any]:
        return {
            "kept": self.kept,
            "kept_step": self.kept_step,
            "dropped": self.dropped,
            "steps": self.steps,
            "pictures": self.pictures,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        vars(self).update(state_dict)


def weights(module: nn.Module) -> dict[str, Tensor]:
    """A copy of a module's weights."""
    return {key: value.detach().clone() for key, value in module.state_dict().items()}
