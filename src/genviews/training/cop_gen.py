"""COP-Gen (Li et al. 2022): a navigator T_z moves latents to their optimal positives, against an information estimator f."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn
from torch.optim import Adam

from .. import latents
from ..checkpoints import write_text
from ..encoders import Encoder, projector
from ..errors import OptionError, require_positive
from ..generators.base import Generator
from ..latents import LatentTransform, Navigator, distance
from ..losses import gather, info_nce, supervised_contrastive
from ..randomness import derive
from ..views.sources import draw_conditions
from . import judges
from .consistency import ConsistencyMonitor, weights
from .fit import Learner, Seeds, fit
from .judges import Judge
from .method import PretrainOptions, ViewOptions


@dataclass(frozen=True, kw_only=True)
class NavigatorOptions(ViewOptions):
    """How a navigator is trained.

    T learns at the paper's rate. f, a small network from scratch, learns faster than the paper's ResNet-18, so that it stays
    ahead: an adversary that wins at once changes what the image shows instead of how it looks.

    Attributes:
        hidden: Width of T's hidden layer; the latent's if None.
        linear: T without a hidden layer.
        init: "default" (PyTorch's, the released code) or "he" (the supplement).
        init_std: Std of T(z) at the start, small enough to keep the meaning; what `init` gives if None.
        steps: At most so many.
        batch_size: Latents a step.
        lr: Of the navigator (the paper's).
        estimator_lr: Of f (paper: 3e-5).
        temperature: Of InfoNCE.
        supervised: The loss is the supervised contrastive one of the generator's conditions, half as many in a batch as samples
            (the paper's Table 10); otherwise it is InfoNCE, with a condition drawn for each sample if there are any.
        truncation: psi of the latents; None for N(0, I).
        delta: d(z, z') <= delta, root mean square per dimension; None leaves it free.
        on_violation: "stop" returns the last navigator whose every displacement was inside, "project" scales displacements back.
        judge: "samples" (an encoder pretrained on G's samples), "lpips", a timm model with published weights, or "none".
        judge_steps: Of the samples judge.
        judge_augmentation: T_x of the samples judge; `augmentation` if None.
        check_every: Steps between checks of the semantic consistency, which are the rows of the history.
        tolerance: Stop where consistency falls below this fraction of the untrained navigator's.
    """

    hidden: int | None = None
    linear: bool = False
    init: Literal["default", "he"] = "default"
    init_std: float | None = 0.1
    steps: int = 1000
    batch_size: int = 176
    lr: float = 1e-5
    estimator_lr: float = 1e-3
    temperature: float = 0.1
    supervised: bool = False
    truncation: float | None = None
    delta: float | None = None
    on_violation: Literal["stop", "project"] = "stop"
    judge: str = "samples"
    judge_steps: int = 300
    judge_augmentation: str | None = None
    check_every: int = 20
    tolerance: float = 0.9

    def __post_init__(self) -> None:
        require_positive(
            hidden=self.hidden,
            init_std=self.init_std,
            image_size=self.image_size,
            steps=self.steps,
            batch_size=self.batch_size,
            lr=self.lr,
            estimator_lr=self.estimator_lr,
            temperature=self.temperature,
            truncation=self.truncation,
            delta=self.delta,
            judge_steps=self.judge_steps,
            check_every=self.check_every,
        )

    def under(self, augmentation: str) -> "NavigatorOptions":
        """The same with another T_x, while the samples judge is trained with this one."""
        return replace(self, augmentation=augmentation, judge_augmentation=self.augmentation)

    @property
    def judged(self) -> PretrainOptions:
        """How the samples judge is pretrained."""
        return PretrainOptions(
            backbone=self.backbone,
            augmentation=self.judge_augmentation or self.augmentation,
            image_size=self.image_size,
            steps=self.judge_steps,
            seed=self.seed,
        )


class COPGen(Learner):
    """Algorithm 1 of the supplement: f minimises InfoNCE between anchors and positives, T_z maximises it through G and T_x.

    Args:
        generator: G, frozen.
        navigator: T_z.
        estimator: f's backbone.
        augment: T_x.
        options: See `NavigatorOptions`.

    Attributes:
        inside: The navigator's weights when it last satisfied the constraint, and `inside_step`, their step.
        reason: Why training stopped before its last step.
    """

    frozen_parts = ("generator", "augment")

    def __init__(
        self, generator: Generator, navigator: Navigator, estimator: Encoder, augment: nn.Module, options: NavigatorOptions
    ):
        super().__init__()
        self.generator, self.navigator, self.augment, self.options = generator, navigator, augment, options
        self.estimator = nn.Sequential(estimator, projector(estimator.num_features))
        self.inside, self.inside_step = weights(navigator), -1
        self.reason: str | None = None

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        seeds = batch[1]
        z, condition = self.draw(seeds), self.conditions(seeds)
        moved = self.navigator(z)
        with torch.no_grad():
            anchors = self.generator(z, condition)
        positives = self.generator(moved, condition)
        views = torch.cat([self.augment(anchors, derive(seeds, 1)), self.augment(positives, derive(seeds, 2))])
        first, second = self.estimator(views).chunk(2)
        loss = self.information(gather(first), gather(second), condition)
        shift = (moved - z).detach()
        self.log_dict({"loss": loss, "estimator_loss": loss, "navigator_loss": -loss})
        self.log_dict({"shift_mean": shift.mean(), "shift_std": shift.std(), "distance": distance(z, moved).mean()})
        return loss

    def information(self, first: Tensor, second: Tensor, condition: Tensor | None) -> Tensor:
        """What f minimises and T_z maximises: up to a constant, minus a bound on the information that embeddings (B, D) share."""
        if self.options.supervised and condition is not None:
            return supervised_contrastive(torch.stack([first, second], 1), gather(condition), self.options.temperature)
        return info_nce(first, second, self.options.temperature, symmetric=False)

    @torch.no_grad()
    def on_train_batch_start(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> int | None:
        """Stops, and skips the batch, where some d(z, z') of the global batch exceeds delta."""
        options = self.options
        if options.delta is None or options.on_violation == "project":
            return None
        z = self.draw(batch[1])
        if gather(distance(z, self.navigator(z))).max() <= options.delta:
            self.inside, self.inside_step = weights(self.navigator), self.global_step
            return None
        self.stop(f"d(z, z') exceeded delta = {options.delta:g}")
        return -1

    def draw(self, seeds: Tensor) -> Tensor:
        """The anchors' latents z ~ p(z), (B, D), of the seeds (B,)."""
        return self.generator.sample_latents(len(seeds), truncation=self.options.truncation, rng=seeds)

    def conditions(self, seeds: Tensor) -> Tensor | None:
        """Those of the samples (B,) of this device, (B,), in pairs within the global batch if they are the loss's classes."""
        everyone = gather(seeds).unflatten(0, (-1, len(seeds))).T.flatten()
        drawn = draw_conditions(self.generator, everyone, paired=self.options.supervised)
        return None if drawn is None else drawn.view(len(seeds), -1)[:, self.global_rank]

    def stop(self, reason: str) -> None:
        self.reason = reason
        self.trainer.should_stop = True

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["constraint"] = {"inside": self.inside, "inside_step": self.inside_step, "reason": self.reason}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        vars(self).update(checkpoint["constraint"])

    def on_train_start(self) -> None:
        self.trainer.should_stop = self.reason is not None

    def configure_optimizers(self) -> Any:
        groups: list[dict[str, Any]] = [
            {"params": self.estimator.parameters(), "lr": self.options.estimator_lr},
            {"params": self.navigator.parameters(), "lr": self.options.lr, "maximize": True},
        ]
        return Adam(groups, betas=(0.5, 0.999))


@dataclass(frozen=True)
class NavigatorRun:
    """What training left.

    Attributes:
        navigator: The one to use: the last whose positives kept their meaning and, with a delta, stayed inside the ball.
        steps: Steps done.
        best_step: The step `navigator` is from.
        reason: Why training ended.
    """

    navigator: LatentTransform
    steps: int
    best_step: int
    reason: str


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
        generator: G; one T_z serves all its conditions.
        options: See `NavigatorOptions`.
        judge: Of semantic consistency, a function of two image batches; None makes the one that `options.judge` names.
        out: Run folder for checkpoints, `metrics.csv`, the navigator, and `evolution.npz`: the positives of a few anchors, uint8
            (S, K, C, H, W), at each check. None keeps nothing.
        resume: Go on from the last checkpoint in `out`, or return what a finished run left there.
        **trainer: Further arguments of `fit`.

    Raises:
        OptionError: If delta is smaller than what the untrained navigator moves, or `supervised` without conditions.
    """
    if options.supervised and generator.num_conditions is None:
        raise OptionError("supervised is on, but the generator has no conditions; choose a class-conditional one")
    if resume and out and (out / "run.json").exists():
        return NavigatorRun(latents.load(out), **json.loads((out / "run.json").read_text()))
    judged = options.judged
    judge = judge or judges.create(options.judge, generator, judged, out / "judge" if out else None, resume)
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
        Seeds(options.steps * options.batch_size),
        steps=options.steps,
        batch_size=options.batch_size,
        seed=options.seed,
        out=out,
        resume=resume,
        description="navigator",
        callbacks=[monitor],
        log_every=options.check_every,
        **trainer,
    )
    kept, best_step = weights(navigator), history.steps
    if monitor.dropped:
        kept, best_step = monitor.kept, monitor.kept_step
    elif options.delta is not None and options.on_violation == "stop":
        kept, best_step = module.inside, module.inside_step
    if best_step < 0:
        raise OptionError(f"{module.reason} before the first step; lower init_std, raise delta, or choose on_violation=project")
    navigator.load_state_dict(kept)
    run = NavigatorRun(navigator.eval().requires_grad_(False), history.steps, best_step, module.reason or "all steps were done")
    if out:
        rank_zero_only(_keep)(run, monitor, out)
    return run


def _keep(run: NavigatorRun, monitor: ConsistencyMonitor, out: Path) -> None:
    np.savez(out / "evolution.npz", **monitor.evolution())
    latents.save(run.navigator, out)
    facts = {"steps": run.steps, "best_step": run.best_step, "reason": run.reason}
    write_text(out / "run.json", json.dumps(facts, indent=1) + "\n")
