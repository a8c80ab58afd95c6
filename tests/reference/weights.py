"""The weights of a network as one vector."""

import torch
from torch import Tensor, nn


def weights(module: nn.Module) -> Tensor:
    """A copy of all parameters, in whatever memory format, (P,)."""
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])
