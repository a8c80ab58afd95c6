"""Watching a generator while it trains: pictures and FID."""

import sys
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torchvision.utils import save_image
from tqdm import tqdm

from ..data import Images, extract
from ..encoders import Features
from ..errors import NonFiniteError
from ..generators import Generator
from ..metrics import feature_statistics, fid
from ..randomness import sample_seeds
from ..views import GeneratedImages
from ..views.sources import draw_condition

COLUMNS, ROWS = 8, 10


def sheet(generator: Generator, seed: int = 0) -> Tensor:
    """Samples to look at, uint8 (8 n, C, H, W): eight rows of eight, or of a conditional generator a row a condition.

    A row's latents are those of every other row; the conditions are all there are, or ten drawn of more.
    """
    count = generator.num_conditions
    if count is None:
        return GeneratedImages(generator, COLUMNS**2, seed)[torch.arange(COLUMNS**2)][0]
    drawn = torch.arange(count) if count <= ROWS else draw_condition(sample_seeds(seed, torch.arange(ROWS)), count)
    rows = [GeneratedImages(generator, COLUMNS, seed, condition) for condition in drawn.tolist()]
    return torch.cat([row[torch.arange(COLUMNS)][0] for row in rows])


class FrechetDistance:
    """Measures the FID of a generator by a number of samples; what the test images are to the features is found once.

    Args:
        features: What it stands on.
        test: Images to compare with.
        samples: How many; the fewer, the larger the FID.
        seed: Of the samples.

    Attributes:
        description: All of these in words.
    """

    def __init__(self, features: Features, test: Images, samples: int, seed: int = 0):
        self.features, self.samples, self.seed = features, samples, seed
        self.real = feature_statistics(extract(features, test, progress=False)[0])
        self.description = f"{samples:,} samples against {len(test):,} test images; features: {features.name}"

    def __call__(self, generator: Generator) -> float:
        drawn = GeneratedImages(generator, self.samples, self.seed)
        return fid(self.real, extract(self.features, drawn, device=generator.device, progress=False)[0])


class Samples(Callback):
    """Draws the same `sheet` every few steps, as `samples-STEP.png`, and logs the `fid` then.

    Args:
        folder: For the pictures.
        every: Steps between them.
        seed: Of the latents.
        distance: Measures the FID; None does not.
    """

    def __init__(self, folder: Path, every: int, seed: int = 0, distance: FrechetDistance | None = None):
        self.folder, self.every, self.seed, self.distance = folder, every, seed, distance

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        trainer.callback_metrics.pop("fid", None)  # or it would be logged again

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, *_: Any) -> None:
        step, last = trainer.global_step, trainer.max_steps
        if (step % self.every and step < last) or not trainer.is_global_zero:
            return
        try:
            images = sheet(module.trained, self.seed)
            self.folder.mkdir(parents=True, exist_ok=True)
            save_image(images / 255, self.folder / f"samples-{step:06d}.png", nrow=COLUMNS, padding=1)
            if self.distance:
                trainer.callback_metrics["fid"] = torch.tensor(self.distance(module.trained))
        except NonFiniteError as error:  # a flow's inverse may overflow while it is young
            tqdm.write(f"step {step}: no picture, for {error}", file=sys.stderr)
