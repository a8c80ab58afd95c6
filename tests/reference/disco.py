"""DisCo's step as its authors wrote it, a generator whose factors are known, and what two processes make of a run."""

import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from genviews import generators
from genviews.errors import OptionError
from genviews.generators import Generator
from genviews.training.disco import DiscoLearner, DiscoOptions, disco

from . import variations

WORLD = 2


class Blobs(nn.Module):
    """A blob in each quarter of 16 px, as bright as a coordinate of the rotated latent; a condition lights the ground."""

    def __init__(self) -> None:
        super().__init__()
        self.rotation = nn.Parameter(torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0))).Q)

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        at = torch.arange(8) - 3.5
        blob = torch.exp(-(at[:, None] ** 2 + at**2) / 8)
        corners = torch.sigmoid(z @ self.rotation)[:, :, None, None] * blob
        images = torch.cat([torch.cat([*corners[:, :2].unbind(1)], 2), torch.cat([*corners[:, 2:].unbind(1)], 2)], 1)[:, None]
        return images if condition is None else images + condition[:, None, None, None] / 10


def blobs(num_conditions: int | None = None) -> Generator:
    """Of grey images (1, 16, 16) of latents (B, 4)."""
    return generators.wrap(Blobs(), latent_dim=4, image_shape=(1, 16, 16), output_range=(0, 1), num_conditions=num_conditions)


class Quarters(nn.Module):
    """An encoder whose codes are the brightness of the quarters of 16 px."""

    num_features = 4

    def forward(self, images: Tensor) -> Tensor:
        return 4 * nn.functional.avg_pool2d(images, 8).flatten(1)


def small(**options: Any) -> DiscoOptions:
    few: dict[str, Any] = {"count": 4, "codes": 6, "batch_size": 4, "positives": 6, "negatives": 10, "architecture": {"width": 8}}
    return DiscoOptions(**(few | {"shift": 3.0} | options))


def step(learner: DiscoLearner, latents: Tensor, condition: Tensor | None, index: Tensor, shift: Tensor) -> Tensor:
    """The loss of the authors' step: each image is generated and encoded by itself, and nothing without its graph."""
    o, rows = learner.options, []
    for i in range(len(latents)):
        one = slice(i, i + 1)
        here = None if condition is None else condition[one]
        base = learner.generator(latents[one], here)
        shifted = learner.generator(latents[one] + learner.directions(index[one], shift[one]), here)
        difference = (learner.encoder(shifted) - learner.encoder(base))[0]
        rows.append(difference.abs() / difference.square().sum().sqrt())
    queries, positives = torch.stack(rows[: o.batch_size]), torch.stack(rows[o.batch_size : o.batch_size + o.positives])
    negatives = torch.stack(rows[o.batch_size + o.positives :]).detach()
    contrast = variations.contrast(queries, positives, negatives, o.temperature, o.flip_threshold, o.form)
    return contrast + o.entropy * variations.entropy(queries, positives, o.form)


def run(lr: float = 1e-5, **trainer: Any) -> dict[str, Tensor]:
    """Directions and encoder after a few steps, so small that those of a bias without a gradient, Adam's noise, do not tell."""
    directions, encoder = disco(blobs(), small(steps=4, lr=lr), accelerator="cpu", **trainer)
    return {**directions.state_dict(), **encoder.state_dict()}


def worker(rank: int, port: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(WORLD), "RANK": str(rank)}
    os.environ |= {"LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(WORLD), "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "test"}
    torch.set_num_threads(1)
    ends: dict[str, Any] = {"run": run(devices=WORLD, strategy="ddp")}
    try:
        disco(blobs(), small(batch_size=3, positives=5), accelerator="cpu", devices=WORLD, strategy="ddp")
    except OptionError as error:
        ends["refused"] = str(error)
    torch.save(ends, Path(folder) / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()
