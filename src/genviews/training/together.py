"""Optimisers that step as one."""

from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer


class Together(Optimizer):
    """Several optimisers, each of parameters of its own, for a learner of one backward pass and one step.

    Args:
        parts: Such as SGD for what minimises, and Adam with `maximize` for its adversary. A schedule scales all of them.
    """

    def __init__(self, *parts: Optimizer):
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.parts = parts

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = closure() if closure else None
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]
