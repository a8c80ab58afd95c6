"""How anything here trains: batches that are a function of the step, on Lightning, resumable to the same result."""

import csv
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from tqdm import tqdm

from .. import devices
from ..errors import NonFiniteError, OptionError, RunError, require_positive
from ..generators import Generator
from ..randomness import sample_seeds


class Source(Protocol):
    """N samples, fetched a batch at a time: `source[indices (B,)] -> tensors`, or lists of them."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Tensor) -> tuple[Any, ...]: ...


@dataclass(frozen=True)
class Seeds:
    """A source of nothing but the seeds that every batch has, for what learns from a generator alone."""

    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        return ()


@lru_cache(maxsize=2)
def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """The order of the samples in an epoch, int64 (count,)."""
    shuffle = torch.Generator().manual_seed(int(sample_seeds(seed, torch.tensor([epoch]))))
    return torch.randperm(count, generator=shuffle)


@dataclass(frozen=True)
class Batches(Dataset):
    """Step -> (what the source fetched, a seed a sample): sample b of step s is the same on any number of ranks and workers.

    Args:
        source: Where the samples come from.
        batch_size: Of the global batch, over all ranks.
        seed: Of the order and of the samples' seeds.
        rank: This process's share is every `world_size`-th sample, from `rank` on.
        world_size: Number of processes.
    """

    source: Source
    batch_size: int
    seed: int
    rank: int = 0
    world_size: int = 1

    def __getitem__(self, step: int) -> tuple[tuple[Any, ...], Tensor]:
        count, batch = len(self.source), self.batch_size
        epoch, position = divmod(step, count // batch)
        mine = torch.arange(self.rank, batch, self.world_size)
        indices = epoch_order(count, self.seed, epoch)[position * batch + mine]
        return self.source[indices], sample_seeds(self.seed, step * batch + mine)


class Steps(Sampler[int]):
    """The batches from `start` on; as long as all of them, for Lightning counts those before a restart too."""

    def __init__(self, start: int, stop: int):
        self.start, self.stop = start, stop

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.stop))

    def __len__(self) -> int:
        return self.stop


@dataclass
class Loader(L.LightningDataModule):
    """The batches `start` to `stop` for whatever rank asks."""

    source: Source
    batch_size: int
    seed: int
    start: int
    stop: int
    workers: int

    def __post_init__(self) -> None:
        super().__init__()

    def train_dataloader(self) -> DataLoader:
        trainer = self.trainer
        rank, world_size = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        batches = Batches(self.source, self.batch_size, self.seed, rank, world_size)
        return DataLoader(batches, batch_size=None, sampler=Steps(self.start, self.stop), num_workers=self.workers)


class Learner(L.LightningModule):
    """A LightningModule whose frozen parts (`frozen_parts`) move with it but stay out of its checkpoints."""

    frozen_parts: tuple[str, ...] = ()
    strict_loading = False

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        weights = checkpoint["state_dict"]
        for key in [key for key in weights if key.split(".")[0] in self.frozen_parts]:
            del weights[key]


class History(Callback):
    """Keeps what the module logs every `every` steps and at the last, in the checkpoint and as `metrics.csv`.

    Attributes:
        rows: The steps and their metrics.
        steps: Steps done.
    """

    def __init__(self, every: int, path: Path | None):
        self.every, self.path = every, path
        self.rows: list[dict[str, float]] = []
        self.steps = 0

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        if trainer.global_step == self.steps:  # a batch whose gradients wait for more
            return
        self.steps = trainer.global_step
        if trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps:
            self.rows.append({"step": trainer.global_step} | {k: float(v) for k, v in trainer.callback_metrics.items()})

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if self.path and trainer.is_global_zero:
            columns = list(dict.fromkeys(key for row in self.rows for key in row))
            with self.path.open("w", newline="") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(self.rows)

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        self.on_train_end(trainer, module)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "steps": self.steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        vars(self).update(state_dict)


class Progress(Callback):
    """One line: what trains, how far, how fast, the loss."""

    def __init__(self, description: str, steps: int):
        self.description, self.steps = description, steps
        self.bar: tqdm | None = None

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.bar = tqdm(
            total=self.steps,
            initial=trainer.global_step,
            desc=self.description,
            unit="step",
            mininterval=0.5,
            disable=not trainer.is_global_zero or "TQDM_DISABLE" in os.environ,
        )

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, outputs: Any, *_: Any) -> None:
        if self.bar is not None:
            self.bar.update(trainer.global_step - self.bar.n)
            if trainer.global_step % 20 == 0 and "loss" in trainer.callback_metrics:
                self.bar.set_postfix(loss=f"{float(trainer.callback_metrics['loss']):.3f}", refresh=False)

    def on_train_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if self.bar is not None:
            self.bar.close()

    def on_exception(self, trainer: L.Trainer, module: L.LightningModule, exception: BaseException) -> None:
        self.on_train_end(trainer, module)


class Checkpoints(ModelCheckpoint):
    """`last.ckpt` every few steps, but not after the last: what comes then is the caller's to keep."""

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        if trainer.global_step < trainer.max_steps:
            super().on_train_batch_end(trainer, *args)


class StepSeed(Callback):
    """Seeds PyTorch's own generator at each batch, for layers such as dropout that draw from it."""

    def __init__(self, seed: int):
        self.seed = seed

    def on_train_batch_start(self, trainer: L.Trainer, module: L.LightningModule, batch: Any, batch_idx: int) -> None:
        step = torch.tensor([batch_idx * trainer.world_size + trainer.global_rank])
        torch.manual_seed(int(sample_seeds(self.seed, step)))


class GraphSteps(Callback):
    """Tells CUDA graphs at each batch that what they returned before is done with."""

    def on_train_batch_start(self, trainer: L.Trainer, module: L.LightningModule, batch: Any, batch_idx: int) -> None:
        torch.compiler.cudagraph_mark_step_begin()


class Finite(Callback):
    """Stops before a NaN or infinite loss or gradient reaches the weights."""

    def __init__(self, last: Path | None):
        self.last = last

    def on_before_backward(self, trainer: L.Trainer, module: L.LightningModule, loss: Tensor) -> None:
        self._check("loss", loss.detach(), trainer)

    def on_before_optimizer_step(self, trainer: L.Trainer, module: L.LightningModule, optimizer: torch.optim.Optimizer) -> None:
        if getattr(trainer.precision_plugin, "scaler", None):  # of "16-mixed", which itself skips such a step and scales less
            return
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if gradients:
            self._check("gradient", torch.stack(torch._foreach_norm(gradients)).sum(), trainer)

    def _check(self, what: str, value: Tensor, trainer: L.Trainer) -> None:
        if not torch.isfinite(value):
            kept = f"the last good checkpoint is {self.last}" if self.last and self.last.exists() else "no checkpoint was due yet"
            raise NonFiniteError(
                f"the {what} became {value.item()} at step {trainer.global_step}; {kept}; lower the learning rate"
            )


def fit(
    module: Learner,
    source: Source,
    *,
    steps: int,
    batch_size: int,
    accumulate: int = 1,
    seed: int = 0,
    out: Path | None = None,
    resume: bool = False,
    description: str = "training",
    callbacks: Sequence[Callback] = (),
    log_every: int = 10,
    checkpoint_every: int = 200,
    workers: int = 0,
    precision: Any = "32-true",
    devices: Any = 1,
    accelerator: str = devices.best().type,
    strategy: str = "auto",
    clip: float | None = None,
    compiled: bool = False,
) -> History:
    """Runs `module.training_step` for `steps` steps.

    Args:
        module: What learns; its step receives `(fetched, seeds)` of `Batches`.
        source: Where the samples come from.
        steps: Optimiser steps.
        batch_size: Of the global batch.
        accumulate: Batches whose gradients, averaged, make one step.
        seed: Of the order and of every sample's randomness.
        out: Folder for `metrics.csv` and `checkpoints/`; None keeps nothing.
        resume: Go on from the last checkpoint in `out`, to the result of the uninterrupted run.
        description: For the progress bar.
        callbacks: More of them.
        log_every: Steps between rows of the history.
        checkpoint_every: Steps between checkpoints.
        workers: Loader processes.
        precision: Lightning's: "32-true", "bf16-mixed", "16-mixed".
        devices: Lightning's: how many.
        accelerator: Lightning's.
        strategy: Lightning's.
        clip: Largest norm of a gradient; None for any.
        compiled: Run frozen generators under torch.compile, as CUDA graphs on a GPU: a minute at first, then faster steps.

    Returns:
        The logged history.

    Raises:
        OptionError: If the batch is larger than the source or no multiple of the devices, a number is not positive (`workers`:
            negative), or Lightning refuses an option.
        NonFiniteError: If the loss or a gradient is NaN or infinite.
        RunError: If the last checkpoint cannot be read.
    """
    if not 0 < batch_size <= len(source):
        raise OptionError(f"batch_size is {batch_size}; with {len(source)} samples it must be between 1 and {len(source)}")
    require_positive(steps=steps, accumulate=accumulate, log_every=log_every, checkpoint_every=checkpoint_every)
    if workers < 0:
        raise OptionError(f"workers is {workers}; it must be 0, to load in this process, or more")
    if out:
        out.mkdir(parents=True, exist_ok=True)
    last = out / "checkpoints" / "last.ckpt" if out else None
    start = _step_of(last) if resume and last and last.exists() else 0
    history = History(log_every, out / "metrics.csv" if out else None)
    extra: list[Callback] = [Progress(description, steps), StepSeed(seed), Finite(last), *callbacks, history]
    if compiled:
        extra.append(GraphSteps())
    if last:
        extra.append(
            Checkpoints(last.parent, filename="last", every_n_train_steps=checkpoint_every, enable_version_counter=False)
        )
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    try:
        trainer = L.Trainer(
            max_steps=steps,
            max_epochs=-1,
            accelerator=accelerator,
            devices=devices,
            strategy=strategy,
            precision=precision,
            gradient_clip_val=clip,
            accumulate_grad_batches=accumulate,
            callbacks=extra,
            logger=False,
            enable_checkpointing=last is not None,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            log_every_n_steps=log_every,
        )
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise OptionError(f"precision {precision!r}, devices {devices!r}, strategy {strategy!r}: {error}") from None
    if batch_size % trainer.world_size:
        raise OptionError(f"batch_size is {batch_size}; it must be a multiple of the {trainer.world_size} devices")
    loader = Loader(source, batch_size, seed, start * accumulate, steps * accumulate, workers)
    module.to(memory_format=torch.channels_last)  # in which most convolutions are faster
    with torch.random.fork_rng(), warnings.catch_warnings(), _compiled(module, accelerator) if compiled else nullcontext():
        warnings.filterwarnings("ignore", module="lightning")
        trainer.fit(module, datamodule=loader, ckpt_path=last if start else None, weights_only=True)
    return history


@contextmanager
def _compiled(module: Learner, accelerator: str) -> Iterator[None]:
    """The frozen generators of a module under torch.compile inside."""
    generators = [part for name in module.frozen_parts if isinstance(part := getattr(module, name), Generator)]
    for generator in generators:
        generator.compile(mode="reduce-overhead" if accelerator == "cuda" else None)
    try:
        yield
    finally:
        for generator in generators:
            generator._compiled_call_impl = None


def _step_of(checkpoint: Path) -> int:
    try:
        return torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"]
    except Exception as error:  # whatever a damaged file makes the reader raise
        raise RunError(f"{checkpoint} cannot be read ({type(error).__name__}); delete it to start the run again") from None
