"""Disentanglement of edits: does moving along a direction change the attribute meant, and no other?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import DataError, OptionError


@dataclass(frozen=True)
class ManipulationDisentanglement:
    """The manipulation disentanglement curve and the area under it; `dataclasses.asdict` makes it JSON.

    Attributes:
        score: The area, in [0, 1].
        accuracy: For each strength, the share of samples whose target attribute changed, (S,).
        disentanglement: For each strength, one minus the share of the other attributes that changed, (S,).
    """

    score: float
    accuracy: list[float]
    disentanglement: list[float]


def manipulation_disentanglement(before: Tensor, after: Tensor, target: int) -> ManipulationDisentanglement:
    """The manipulation disentanglement score (MDS) of a direction (Yang et al. 2021, "Beyond Binary Attributes").

    As an edit grows stronger, more samples change the target attribute (accuracy) and fewer keep the others (disentanglement);
    the score is the area under disentanglement as a function of accuracy. Where the definition leaves it open: an attribute has
    changed when its prediction crosses 0.5, either way; the curve begins at the unedited samples, accuracy 0 and disentanglement
    1, is linear between its points in the order of their accuracy, and covers nothing beyond the greatest accuracy it reaches.

    Args:
        before: Predictions of the attributes of the unedited samples, in [0, 1], (N, A).
        after: Those of the same samples edited at each strength, (S, N, A).
        target: Which attribute is meant, of 0 to A - 1.

    Raises:
        DataError: If the shapes do not fit, there is no attribute but the target, or a prediction is not in [0, 1].
        OptionError: If there is no such attribute.
    """
    if before.ndim != 2 or after.ndim != 3 or after.shape[1:] != before.shape or not after.numel() or before.shape[1] < 2:
        raise DataError(f"predictions are {tuple(before.shape)} and {tuple(after.shape)}; give (N, A) and (S, N, A) with A > 1")
    if not all(((part >= 0) & (part <= 1)).all() for part in (before, after)):
        raise DataError("a prediction is NaN or not in [0, 1]; give probabilities, such as the sigmoid of logits")
    attributes = before.shape[1]
    if not 0 <= target < attributes:
        raise OptionError(f"target is {target}; the attributes are 0 to {attributes - 1}")
    changed = ((after > 0.5) != (before > 0.5)).double().mean(1)
    accuracy = changed[:, target]
    disentanglement = 1 - (changed.sum(1) - accuracy) / (attributes - 1)
    order = torch.cat([accuracy.new_zeros(1), accuracy]).argsort(stable=True)
    curve = [
        torch.cat([start, part])[order]
        for start, part in ((accuracy.new_zeros(1), accuracy), (accuracy.new_ones(1), disentanglement))
    ]
    return ManipulationDisentanglement(float(torch.trapezoid(curve[1], curve[0])), accuracy.tolist(), disentanglement.tolist())
