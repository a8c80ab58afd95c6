"""Gradient descent on many latents at once, each for itself."""

import torch
from torch import Tensor


class RowAdam:
    """Adam (Kingma and Ba 2015) on the rows of a tensor, each with its own moments and count, so that rows may leave and join.

    Args:
        rows: (B, ...), whose copy it moves.
        lr: Step size.
        betas: Decays of the two moments.
        eps: Added to the root of the second.

    Attributes:
        rows: (B, ...), where they are now.
        steps: int64 (B,), how often each has moved.
    """

    def __init__(self, rows: Tensor, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8):
        self.lr, self.betas, self.eps = lr, betas, eps
        self.rows = rows.detach().clone()
        self.mean, self.square = torch.zeros_like(self.rows), torch.zeros_like(self.rows)
        self.steps = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)

    def step(self, gradient: Tensor) -> None:
        """Moves every row against its gradient (B, ...)."""
        self.steps += 1
        first, second = (1 - beta ** self.steps.view(-1, *[1] * (gradient.ndim - 1)) for beta in self.betas)
        self.mean.lerp_(gradient, 1 - self.betas[0])
        self.square.lerp_(gradient.square(), 1 - self.betas[1])
        self.rows -= self.lr * (self.mean / first) / ((self.square / second).sqrt() + self.eps)

    def keep(self, mask: Tensor) -> None:
        """Drops the rows where the mask, bool (B,), is false."""
        self.rows, self.mean, self.square, self.steps = (part[mask] for part in (self.rows, self.mean, self.square, self.steps))

    def join(self, rows: Tensor) -> None:
        """Takes further rows (b, ...), which begin now, after those it has."""
        self.rows = torch.cat([self.rows, rows.detach()])
        self.mean, self.square = (torch.cat([part, torch.zeros_like(rows)]) for part in (self.mean, self.square))
        self.steps = torch.cat([self.steps, self.steps.new_zeros(len(rows))])
