"""Inversion as Zhu et al. (2020) do it: one image after the other, a fixed number of steps, PyTorch's Adam."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def invert_one(
    generator: Callable[[Tensor], Tensor],
    image: Tensor,
    start: Tensor,
    steps: int,
    lr: float,
    encoder: nn.Module | None = None,
    features: Callable[[Tensor], Tensor] | None = None,
    weight: float = 0.0,
    domain_weight: float = 2.0,
) -> tuple[Tensor, list[float]]:
    """The last latent (1, D) of an image (1, C, H, W) in [0, 1] from a start (1, D), and the loss before each step and at last."""
    z = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([z], lr=lr)
    x, history = 2 * image - 1, []
    for step in range(steps + 1):
        rebuilt = generator(z)
        loss = torch.mean((x - (2 * rebuilt - 1)) ** 2)
        if features is not None:
            loss = loss + weight * torch.sum((features(image) - features(rebuilt)) ** 2)
        if encoder is not None:
            loss = loss + domain_weight * torch.mean((z - encoder(rebuilt)) ** 2)
        history.append(loss.item())
        if step < steps:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return z.detach(), history
