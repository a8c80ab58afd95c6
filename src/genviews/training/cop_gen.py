"""COP-Gen (Li et al. 2022): a navigator T_z moves each latent to its optimal positive, against a mutual-information estimator f."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Adam

from .. import latents
from ..encoders import Encoder, projector
from ..errors import OptionError
from ..generators.base import Generator
from ..latents import Identity, Navigator, distance
from ..losses import gather, info_nce
from ..randomness import derive
from ..views.sources import GeneratedViews
from ..views.store import quantise
from . import judges
from .consistency import SHOWN, ConsistencyMonitor, weights
from .fit import Learner, fit
from .judges import Judge
from .simclr import SimCLROptions, ViewOptions


@dataclass(frozen=True, kw_only=True)
class NavigatorOptions(ViewOptions):
    """How a navigator is trained; the learning rates keep the paper's ratio, T three times slower than f.

    Attributes:
        hidden: Width of T's hidden layer; the latent's if None.
        linear: T without a hidden layer.
        init: "default" (PyTorch's, the released code) or "he" (the supplement).
        init_std: Std of T(z) at the start; as the initialisation gives it if None.
        steps: At most so many.
        batch_size: Latents a step.
        lr: Of the navigator (paper: 1e-5).
        estimator_lr: Of f (paper: 3e-5).
        temperature: Of InfoNCE.
        truncation: psi of the latents; None for N(0, I).
        delta: d(z, z') <= delta, root mean square per dimension; None leaves it free.
        on_violation: "stop" returns the last navigator whose every displacement was inside, "project" scales displacements back.
        judge: "samples" (an encoder pretrained on G's samples), "lpips", a timm model with published weights, or "none".
        judge_steps: Of the samples judge.
        judge_augmentation: T_x of the samples judge; `augmentation` if None.
        check_every: Steps between checks of the semantic consistency.
        tolerance: Stop where consistency falls below this fraction of the untrained navigator's.
    """

    hidden: int | None = None
    linear: bool = False
    init: Literal["default", "he"] = "default"
    init_std: float | None = None
    steps: int = 1000
    batch_size: int = 176
    lr: float = 1e-4
    estimator_lr: float = 3e-4
    temperature: float = 0.1
    truncation: float | None = None
    delta: float | None = None
    on_violation: Literal["stop", "project"] = "stop"
    judge: str = "samples"
    judge_steps: int = 300
    judge_augmentation: str | None = None
    check_every: int = 25
    tolerance: float = 0.9


class COPGen(Learner):
    """Algorithm 1 of the supplement: f minimises InfoNCE between anchors and positives, T_z maximises it through G and T_x.

    Args:
        generator: G, frozen.
        navigator: T_z.
        estimator: f's backbone.
        augment: T_x.
        options: See `NavigatorOptions`.

    Attributes:
        inside: The navigator's weights when it last satisfied the constraint.
        reason: Why training stopped before its last step.
    """

    frozen_parts = ("generator", "augment")

    def __init__(self, generator: Generator, navigator: Navigator, estimator: Encoder, augment: nn.Module, options: NavigatorOptions):
        super().__init__()
        self.generator, self.navigator, self.augment, self.options = generator, navigator, augment, options
        self.estimator = nn.Sequential(estimator, projector(estimator.num_features))
        self.inside = weights(navigator)
        self.reason: str | None = None

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor | None:
        seeds = batch[1]
        z = self.generator.sample_latents(len(seeds), truncation=self.options.truncation, rng=seeds)
        moved = self.navigator(z)
        if self.violates(z, moved):
            return None
        with torch.no_grad():
            anchors = self.generator(z)
        positives = self.generator(moved)
        views = torch.cat([self.augment(anchors, derive(seeds, 1)), self.augment(positives, derive(seeds, 2))])
        first, second = self.estimator(views).chunk(2)
        loss = info_nce(gather(first), gather(second), self.options.temperature, symmetric=False)
        shift = (moved - z).detach()
        self.log_dict({"loss": loss, "estimator_loss": loss, "navigator_loss": -loss})
        self.log_dict({"shift_mean": shift.mean(), "shift_std": shift.std(), "distance": distance(z, moved).mean()})
        return loss

    def violates(self, z: Tensor, moved: Tensor) -> bool:
        """Whether some d(z, z') of the global batch exceeds delta; then training stops, and the navigator before it is kept."""
        delta = self.options.delta
        if delta is None or self.options.on_violation == "project":
            return False
        if gather(distance(z, moved).detach()).max() <= delta:
            self.inside = weights(self.navigator)
            return False
        self.stop(f"d(z, z') exceeded delta = {delta:g}")
        return True

    def stop(self, reason: str) -> None:
        self.reason = reason
        self.trainer.should_stop = True

    def configure_optimizers(self) -> Any:
        against = {"params": self.navigator.parameters(), "lr": self.options.lr, "maximize": True}
        return Adam([{"params": self.estimator.parameters()}, against], self.options.estimator_lr, betas=(0.5, 0.999))


@dataclass(frozen=True)
class NavigatorRun:
    """What training left.

    Attributes:
        navigator: The one to use: the last whose positives kept their meaning and, with a delta, stayed inside the ball.
        steps: Steps done.
        best_step: The step `navigator` is from.
        reason: Why training ended.
        history: What was logged, a dict a row.
        evolution_steps: Steps at which pictures were taken.
        evolution: Positives of the same anchors at those steps, uint8 (S, K, C, H, W).
        anchors: Those anchors, uint8 (K, C, H, W).
    """

    navigator: Navigator
    steps: int
    best_step: int
    reason: str
    history: list[dict[str, float]]
    evolution_steps: list[int]
    evolution: Tensor
    anchors: Tensor


def untrained(generator: Generator, options: NavigatorOptions) -> Navigator:
    """T_z at its initialisation: a fixed, random, sample-specific shift, the control for what adversarial training adds."""
    return Navigator(
        generator.latent_dim,
        options.hidden,
        options.linear,
        radius=options.delta if options.on_violation == "project" else None,
        init=options.init,
        init_std=options.init_std,
        seed=options.seed,
    )


def train_navigator(
    generator: Generator,
    options: NavigatorOptions,
    judge: Judge | None = None,
    out: Path | None = None,
    resume: bool = False,
    **trainer: Any,
) -> NavigatorRun:
    """Trains T_z from the generator alone; no image and no label enters.

    Args:
        generator: G, unconditional.
        options: See `NavigatorOptions`.
        judge: Of semantic consistency, a function of two image batches; None makes the one that `options.judge` names.
        out: Run folder for checkpoints, `metrics.csv` and the navigator; None keeps nothing.
        resume: Go on from the last checkpoint in `out`.
        **trainer: Further arguments of `fit`.

    Raises:
        OptionError: If delta is smaller than what the untrained navigator moves.
    """
    judged = SimCLROptions(
        backbone=options.backbone,
        augmentation=options.judge_augmentation or options.augmentation,
        image_size=options.image_size,
        steps=options.judge_steps,
        seed=options.seed,
    )
    judge = judge or judges.create(options.judge, generator, judged, out / "judge" if out else None)
    navigator = untrained(generator, options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        estimator = options.encoder(generator.image_shape)
        module = COPGen(generator, navigator, estimator, options.augment(generator.image_shape), options)
    monitor = ConsistencyMonitor(
        judge,
        generator,
        navigator,
        judged.augment(generator.image_shape),
        every=options.check_every,
        tolerance=options.tolerance,
        seed=options.seed,
        truncation=options.truncation,
    )
    history = fit(
        module,
        GeneratedViews(generator, Identity(), count=options.steps * options.batch_size, seed=options.seed),
        steps=options.steps,
        batch_size=options.batch_size,
        seed=options.seed,
        out=out,
        resume=resume,
        description="navigator",
        callbacks=[monitor],
        **trainer,
    )
    kept, best_step = weights(navigator), history.steps
    if monitor.best_step < history.steps and module.reason and "consistency" in module.reason:
        kept, best_step = monitor.best, monitor.best_step
    elif module.reason:
        kept, best_step = module.inside, history.steps - 1
    if best_step < 0:
        raise OptionError(f"{module.reason} before the first step; lower init_std, raise delta, or choose on_violation=project")
    navigator.load_state_dict(kept)
    if out:
        latents.save(navigator, out)
    return NavigatorRun(
        navigator.eval().requires_grad_(False),
        history.steps,
        best_step,
        module.reason or f"all {options.steps} steps were done",
        history.rows,
        monitor.steps,
        torch.stack(monitor.pictures),
        quantise(monitor.anchors[:SHOWN]).cpu(),
    )
