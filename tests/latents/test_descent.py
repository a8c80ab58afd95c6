"""Descent of many rows: PyTorch's Adam row by row, rows that leave, rows that are done."""

import torch
from torch import Tensor

from genviews.latents.descent import RowAdam, descend

TARGETS = torch.linspace(-2, 2, 12).reshape(4, 3)


def bowls(x: Tensor, rows: Tensor) -> Tensor:
    """A loss a row, the steeper the later the row."""
    return (rows + 1) * (x - TARGETS[rows]).square().sum(1) + 0.1


def test_it_is_adam_for_each_row_however_many_leave() -> None:
    weights = torch.nn.Parameter(torch.zeros(4, 3))
    optimiser = torch.optim.Adam([weights], lr=0.1)
    rows, adam, x = torch.arange(4), RowAdam(0.1), torch.zeros(4, 3)
    for step in range(12):
        optimiser.zero_grad()
        bowls(weights, torch.arange(4)).sum().backward()
        optimiser.step()
        gradient = 2 * (rows[:, None] + 1) * (x - TARGETS[rows])
        if step in (0, 5):
            going = rows != step // 5
            rows, x, gradient = rows[going], x[going], gradient[going]
            adam.keep(going)
        x = x + adam.step(gradient)
        torch.testing.assert_close(x, weights.detach()[rows], atol=1e-6, rtol=1e-5)
    assert rows.tolist() == [2, 3]


def test_rows_that_join_begin_then() -> None:
    adam, late = RowAdam(0.1), RowAdam(0.1)
    for step in range(6):
        gradient = torch.full((3, 2), 0.3**step) * torch.tensor([[1.0], [-1.0], [2.0]])
        moved = adam.step(gradient[: 3 if step > 2 else 2])
        if step > 2:
            torch.testing.assert_close(moved[2:], late.step(gradient[2:]))
    assert adam.steps.tolist() == [6, 6, 3]


def test_each_row_ends_where_its_loss_was_lowest() -> None:
    start = torch.zeros(4, 3)
    best, taken = descend(bowls, start, 60, 1.5, patience=100)
    weights = torch.nn.Parameter(start.clone())
    optimiser, seen = torch.optim.Adam([weights], lr=1.5), []
    for _ in range(61):
        loss = bowls(weights, torch.arange(4))
        seen.append((loss.detach(), weights.detach().clone()))
        optimiser.zero_grad()
        loss.sum().backward()
        optimiser.step()
    losses, places = (torch.stack(part) for part in zip(*seen, strict=True))
    lowest = losses.argmin(0)
    assert (lowest < 60).any()
    torch.testing.assert_close(best, places[lowest, torch.arange(4)], atol=1e-4, rtol=1e-4)
    assert taken.tolist() == [60] * 4


def test_a_row_is_done_after_patience_steps_without_a_fall() -> None:
    """A row that stands still is done after `patience` steps, one that falls by half at each never."""
    calls = []

    def losses(x: Tensor, rows: Tensor) -> Tensor:
        calls.append(rows.tolist())
        still = torch.tensor([1.0, 0.0])[rows]
        return still + (1 - still) * 0.5 ** len(calls) + 0 * x.sum(1)

    left = []
    _, taken = descend(losses, torch.zeros(2, 3), 20, 0.1, tolerance=0.1, patience=5, left=left.append)
    assert taken.tolist() == [5, 20] and left == [1, 1]
    assert calls == [[0, 1]] * 6 + [[1]] * 15


def test_small_falls_add_up() -> None:
    """A loss that falls by 1% a step has fallen by 10% in 11 steps, so that a patience of 12 waits for it, one of 5 does not."""

    def steps(patience: int) -> int:
        clock = iter(range(100))
        losses = lambda x, _: 0.99 ** next(clock) + 0 * x.sum(1)  # noqa: E731
        return descend(losses, torch.zeros(1, 2), 60, 0.1, tolerance=0.1, patience=patience)[1].item()

    assert (steps(12), steps(5)) == (60, 5)


def test_a_loss_of_nan_keeps_what_was_before() -> None:
    best, _ = descend(lambda x, _: (x.sum(1) - 1).square() / (x.sum(1) < 0.5), torch.zeros(1, 2), 30, 0.1, patience=5)
    assert best.isfinite().all() and 0 < best.sum() < 0.5
