"""Contrastive losses of expert views and generated ones together: how learned views are assimilated."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import OptionError, ShapeError, require_positive
from .contrastive import info_nce
from .similarity import require_pairs
from .supervised import supervised_contrastive

Form = Literal["infonce", "simclr", "full"]


def multiview(
    first: Tensor,
    second: Tensor,
    generated: Tensor,
    temperature: float = 0.5,
    alpha: float = 0.5,
    form: Form = "infonce",
) -> Tensor:
    """A2 of "On assimilating learned views in contrastive learning": two views contrast, and K generated ones attract both.

    With l2-normalised embeddings, L(z1, z2) - alpha / t * mean(z1 . z3, z2 . z3), means over samples and generated views; z3 is
    in no denominator. L is `info_nce`: the paper's "infonce" with negatives "cross", or "simclr", of the authors' code, with
    "both". Their code also has "full", where generated views are anchors, positives and candidates like the others:
    `supervised_contrastive` of K + 2 views, each sample a class of its own; alpha has no part in it.

    Args:
        first: z1, (B, D), any scale.
        second: z2, (B, D), row by row.
        generated: z3, (B, K, D), row by row.
        temperature: t > 0.
        alpha: Weight of the attraction, > 0.
        form: One of the three.

    Returns:
        float32 scalar, in nats.

    Raises:
        ShapeError: If the shapes do not fit, or B is 1, which leaves no negative.
        OptionError: If there is no such form, or `temperature` or `alpha` is not positive.
    """
    require_pairs("multiview", first, second)
    if generated.ndim != 3 or not generated.shape[1] or generated[:, 0].shape != first.shape:
        shapes = f"{tuple(first.shape)} and {tuple(generated.shape)}"
        raise ShapeError(f"multiview takes views (B, D) and at least one generated of each, (B, K, D), got {shapes}")
    require_positive(temperature=temperature, alpha=alpha)
    if form not in ("infonce", "simclr", "full"):
        raise OptionError(f"form is {form!r}; choose infonce, simclr or full")
    if form == "full":
        return supervised_contrastive(torch.cat([torch.stack([first, second], 1), generated], 1), None, temperature)
    experts, learned = torch.stack([first, second], 1).float()[:, :, None], generated.float()[:, None]
    contrast = info_nce(first, second, temperature, "cross" if form == "infonce" else "both")
    return contrast - alpha / temperature * F.cosine_similarity(experts, learned, dim=3).mean()
