"""Gradient descent of many latents at once, each by itself: a row leaves when it is done, and no row knows of the others."""

import torch
from torch import Tensor


class RowAdam:
    """Adam (Kingma & Ba 2015, algorithm 1) on rows (B, ...), which may leave with their moments, and others join after them.

    Args:
        lr: The learning rate.
        betas: Decay of the first and the second moment.
        epsilon: Added to the root of the second moment.

    Attributes:
        steps: How many each row has taken, int64 (B,).
    """

    steps: Tensor
    first: Tensor
    second: Tensor

    def __init__(self, lr: float, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8):
        self.lr, self.betas, self.epsilon = lr, betas, epsilon
        self.steps = torch.empty(0)

    def step(self, gradient: Tensor) -> Tensor:
        """What to add to the rows, (B, ...), for their gradient (B, ...); rows after those it knows have joined."""
        if not len(self.steps):
            self.steps = torch.zeros(0, dtype=torch.int64, device=gradient.device)
            self.first = self.second = gradient[:0]
        joined = torch.zeros_like(gradient[len(self.steps) :])
        self.steps = torch.cat([self.steps, self.steps.new_zeros(len(joined))]) + 1
        beta1, beta2 = self.betas
        self.first = torch.cat([self.first, joined]).lerp_(gradient, 1 - beta1)
        self.second = torch.cat([self.second, joined]).lerp_(gradient.square(), 1 - beta2)
        steps = self.steps.view(-1, *[1] * (gradient.ndim - 1))
        first, second = self.first / (1 - beta1**steps), self.second / (1 - beta2**steps)
        return -self.lr * first / (second.sqrt() + self.epsilon)

    def keep(self, rows: Tensor) -> None:
        """Lets all leave but the rows of this mask, bool (B,)."""
        if len(self.steps):
            self.steps, self.first, self.second = self.steps[rows], self.first[rows], self.second[rows]
