"""Methods without BatchNorm, whose statistics are a process's own, and what two processes make of them."""

import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from genviews import data
from genviews.randomness import derive, uniform
from genviews.training import METHODS, PretrainOptions, fit
from genviews.training.method import Method
from genviews.views import Pair, RealViews

from .processes import Plain

WORLD, STEPS, BATCH = 2, 4, 16
SMALL: dict[str, dict[str, Any]] = {name: {"queue": 40} for name in ("nnclr", "moco", "feature-transformation", "t-moco")}
SMALL["viewmaker"] = {"widths": (4, 8, 8)}

RUNS = (*METHODS, "simclr a1", "simclr a2", "byol a2", "viewmaker a1")
"""Methods, and some that assimilate generated views."""


class NoisyViews(RealViews):
    """Real images with generated views of each: the image with noise."""

    generated = 2

    def forward(self, *fetched: Tensor, seeds: Tensor | None = None, encoder: nn.Module | None = None) -> Pair:
        pair = super().forward(*fetched)
        assert seeds is not None
        noise = [uniform(derive(seeds, 20 + i), pair.first[0].numel()).view_as(pair.first) for i in range(self.generated)]
        return pair._replace(generated=torch.stack([(pair.first + 0.4 * (each - 0.5)).clamp(0, 1) for each in noise], 1))


def plain(name: str, batch_size: int = BATCH, accumulate: int = 1) -> Method:
    name, _, assimilate = name.partition(" ")
    views = (NoisyViews if assimilate and name != "viewmaker" else RealViews)(data.load("digits").train)
    torch.manual_seed(0)
    recipe = PretrainOptions(
        steps=STEPS,
        batch_size=batch_size,
        accumulate=accumulate,
        projector_dim=8,
        assimilate=assimilate or None,  # type: ignore[arg-type]
    )
    module = METHODS[name](Plain(), views, recipe.augment(views.image_shape), recipe, **SMALL.get(name, {}))  # type: ignore[arg-type]
    for part in list(module.modules()):
        for key, child in part.named_children():
            if isinstance(child, nn.BatchNorm1d):
                setattr(part, key, nn.Identity())
    return module


def train(name: str, **options: Any) -> dict[str, Tensor]:
    """The state after STEPS steps."""
    module = plain(name)
    fit(module, module.views, steps=STEPS, batch_size=BATCH, accelerator="cpu", **options)  # type: ignore[arg-type]
    return module.state_dict()


def shuffled_keys() -> tuple[Tensor, Tensor]:
    """The second views of this process, and those that its copy of the encoder saw."""
    module, second, seen = plain("moco"), [], []
    module.augment.register_forward_hook(lambda _, __, images: second.append(images))
    module.target.register_forward_pre_hook(lambda _, images: seen.append(images[0]))
    fit(module, module.views, steps=1, batch_size=BATCH, accelerator="cpu", devices=WORLD, strategy="ddp")
    return second[1], seen[0]


def worker(rank: int, port: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(WORLD), "RANK": str(rank)}
    os.environ |= {"LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(WORLD), "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "test"}
    torch.set_num_threads(1)
    ends = {name: train(name, devices=WORLD, strategy="ddp") for name in RUNS}
    torch.save((ends, shuffled_keys()), Path(folder) / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()
