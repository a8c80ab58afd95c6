"""The global batch of a distributed run, with gradients."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, local: Tensor) -> Tensor:
        parts = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, local.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]


def gather(local: Tensor) -> Tensor:
    """Concatenates (B, ...) of all ranks to (world_size * B, ...), differentiably; the tensor itself in a single process.

    Every rank then computes the same loss over the global batch. The backward pass sums each rank's gradient of that loss, and
    DistributedDataParallel's mean over ranks divides the sum by the world size: value and gradient equal the single process's.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return local
    return _Gather.apply(local)
