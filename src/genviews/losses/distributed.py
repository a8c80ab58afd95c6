"""The global batch of a distributed run, with gradients."""

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as differentiable
from torch import Tensor


def gather(local: Tensor) -> Tensor:
    """Concatenates (B, ...) of all ranks to (world_size * B, ...), differentiably; the tensor itself in a single process.

    Every rank then computes the same loss over the global batch. The backward pass sums each rank's gradient of that loss, and
    DistributedDataParallel's mean over ranks divides the sum by the world size: value and gradient equal the single process's.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return local
    return torch.cat(differentiable.all_gather(local))
