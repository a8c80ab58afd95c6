"""Networks that follow others as an exponential moving average of their weights."""

import copy
from typing import TypeVar

import torch
from torch import nn

from ..errors import OptionError

Network = TypeVar("Network", bound=nn.Module)


def frozen_copy(network: Network) -> Network:
    """A copy that no gradient trains."""
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def follow(follower: nn.Module, leader: nn.Module, momentum: float) -> None:
    """follower <- momentum * follower + (1 - momentum) * leader, for all parameters; buffers stay each one's own."""
    torch._foreach_lerp_(list(follower.parameters()), list(leader.parameters()), 1 - momentum)


def require_momentum(momentum: float) -> None:
    """Refuses what is not in [0, 1].

    Raises:
        OptionError: Names the value.
    """
    if not 0 <= momentum <= 1:
        raise OptionError(f"momentum is {momentum}; it is what a copy keeps of itself each step, in [0, 1], such as 0.99")
