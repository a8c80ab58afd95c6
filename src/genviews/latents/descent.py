"""Gradient descent of many latents at once, each by itself: a row leaves when it is done, and no row knows of the others."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class RowAdam:
    """Adam (Kingma & Ba 2015, algorithm 1) on rows (B, ...), which may leave with their moments.

    Args:
        lr: The learning rate.
        betas: Decay of the first and the second moment.
        epsilon: Added to the root of the second moment.
    """

    def __init__(self, lr: float, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8):
        self.lr, self.betas, self.epsilon = lr, betas, epsilon
        self.steps = 0
        self.first: Any = 0.0
        self.second: Any = 0.0

    def step(self, gradient: Tensor) -> Tensor:
        """What to add to the rows, (B, ...), for their gradient (B, ...)."""
        (beta1, beta2), self.steps = self.betas, self.steps + 1
        self.first = beta1 * self.first + (1 - beta1) * gradient
        self.second = beta2 * self.second + (1 - beta2) * gradient.square()
        first, second = self.first / (1 - beta1**self.steps), self.second / (1 - beta2**self.steps)
        return -self.lr * first / (second.sqrt() + self.epsilon)

    def keep(self, rows: Tensor) -> None:
        """Lets all leave but the rows of this mask, bool (B,)."""
        if self.steps:
            self.first, self.second = self.first[rows], self.second[rows]


def descend(
    losses: Callable[[Tensor, Tensor], Tensor],
    start: Tensor,
    steps: int,
    lr: float,
    *,
    tolerance: float = 0.01,
    patience: int = 20,
    left: Callable[[int], object] = lambda count: None,
) -> tuple[Tensor, Tensor]:
    """Minimises one loss a row by Adam; a row is done when its loss has not fallen by `tolerance` of itself in `patience` steps.

    Args:
        losses: (rows as they are (b, D), their indices int64 (b,)) -> a loss (b,), not negative, each of its own row alone.
        start: Where the rows begin, (B, D).
        steps: Of Adam, at most; 0 returns the start.
        lr: Of Adam.
        tolerance: A fraction.
        patience: Steps.
        left: Is told how many rows are done whenever some are.

    Returns:
        Each row where its loss was lowest, (B, D), and the steps it took, int64 (B,).
    """
    best, taken = start.clone(), torch.zeros(len(start), dtype=torch.int64, device=start.device)
    x, rows, adam = start, torch.arange(len(start), device=start.device), RowAdam(lr)
    lowest = reference = torch.full_like(start[:, 0], torch.inf)
    stale = torch.zeros_like(taken)
    for step in range(steps + 1):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            loss = losses(x, rows)
            (gradient,) = torch.autograd.grad(loss.sum(), x)
        loss, x, taken[rows] = loss.detach(), x.detach(), step
        best[rows] = torch.where((loss < lowest)[:, None], x, best[rows])
        lowest, fell = lowest.minimum(loss), loss < (1 - tolerance) * reference
        reference, stale = torch.where(fell, loss, reference), torch.where(fell, 0, stale + 1)
        going = (stale < patience) & (step < steps)
        if not going.all():
            left(int((~going).sum()))
            x, rows, gradient, lowest, reference, stale = (t[going] for t in (x, rows, gradient, lowest, reference, stale))
            adam.keep(going)
        if not len(rows):
            break
        x = x + adam.step(gradient)
    return best, taken
