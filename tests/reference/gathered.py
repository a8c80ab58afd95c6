"""Each loss of a global batch, and what each of two processes computes of it."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from genviews import losses
from genviews.losses import gather

WORLD, BATCH = 2, 6
LABELS = torch.tensor([0, 1, 0, 2, 1, 0])

QUEUE = torch.randn(9, 8, generator=torch.Generator().manual_seed(2))


def supervised(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    return losses.supervised_contrastive(gather(torch.stack([first, second], 1)), gather(labels), 0.2)


def queued(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Local queries and keys, and a queue into which the keys of all were pushed."""

    def compute(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
        queue = losses.Queue(9, 8)
        queue.push(QUEUE)
        queue.push(gather(second.detach()))
        return loss(first, second, queue.keys)

    return compute


def nearest(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    return losses.info_nce(gather(losses.nearest_neighbours(first, QUEUE)), gather(second), 0.2, negatives="cross")


def variations(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    keys, labels = gather(losses.variation(first, second)), gather(labels)
    queries, positives, negatives = (keys[labels == role] for role in range(3))
    contrast = losses.variation_contrast(queries, positives, negatives, flip_threshold=0.5)
    return contrast + losses.domination_entropy(queries, positives)


def multiview(form: Literal["infonce", "full"]) -> Callable[..., Tensor]:
    """With views generated of the first ones."""

    def compute(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
        generated = torch.stack([first.flip(1), first + 0.3], 1)
        return losses.multiview(gather(first), gather(second), gather(generated), form=form)

    return compute


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "info_nce": lambda first, second, _: losses.info_nce(gather(first), gather(second), 0.2),
    "info_nce of one view": lambda first, second, _: losses.info_nce(gather(first), gather(second), 0.2, symmetric=False),
    "supervised_contrastive": supervised,
    "student_t_info_nce": lambda first, second, _: losses.student_t_info_nce(gather(first), gather(second)),
    "queue_info_nce": queued(losses.queue_info_nce),
    "student_t_queue": queued(losses.student_t_queue),
    "negative_cosine": lambda first, second, _: losses.negative_cosine(first, second),
    "nearest_neighbours": nearest,
    "variations": variations,
    "multiview": multiview("infonce"),
    "multiview, full": multiview("full"),
    "viewmaker_loss": lambda first, second, _: losses.viewmaker_loss(gather(first), gather(second), 0.2),
}
"""Losses by name, of this process's rows of both views and their labels."""


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 8))


def images() -> Tensor:
    """Both views of the batch, float32 (2, BATCH, 10)."""
    return torch.randn(2, BATCH, 10, generator=torch.Generator().manual_seed(1))


def value_and_gradients(model: nn.Module, rows: Tensor) -> dict[str, list[Tensor]]:
    """Of each loss of the samples `rows`: its value, and its gradient in the model's parameters."""
    results = {}
    for name, compute in LOSSES.items():
        model.zero_grad()
        first, second = model(images()[:, rows].flatten(0, 1)).chunk(2)
        loss = compute(first, second, LABELS[rows])
        loss.backward()
        results[name] = [loss.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]
    return results


def worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=WORLD)
    results = value_and_gradients(DistributedDataParallel(network()), torch.arange(rank, BATCH, WORLD))
    torch.save(results, f"{folder}/{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()
