"""Learning rates by step."""

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(optimizer: Optimizer, steps: int, warmup: int = 0, final: float = 0.0) -> dict[str, Any]:
    """Lightning's description of a schedule by step: linear warm-up to the learning rate, then a cosine to `final` times it."""

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return final + (1 - final) * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2

    return {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}
