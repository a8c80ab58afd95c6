"""Gradient descent of many latents at once, each by itself: a row leaves when it is done, and no row knows of the others."""

from collections.abc import Callable

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
        """Lets all leave but the rows of this mask, bool (B,); those that joined since the last step have no moments yet."""
        if known := len(self.steps):
            rows = rows[:known]
            self.steps, self.first, self.second = self.steps[rows], self.first[rows], self.second[rows]


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
