"""What W-search minimises: views of an image at a given distance from it, spread out."""

from typing import Literal, get_args

import torch
from torch import Tensor

from ..errors import OptionError, ShapeError, require_positive

Distance = Literal["norm", "cosine"]
Side = Literal["both", "outside"]


def spread(views: Tensor, p: float = 2.0) -> Tensor:
    """The mean distance of each view to the other views of its anchor: embeddings (A, n, P) -> (A, n), float32.

    Raises:
        ShapeError: If they are not (A, n, P) with n > 1.
    """
    if views.ndim != 3 or views.shape[1] < 2:
        raise ShapeError(f"spread takes views (A, n, P) with n of at least 2, got {tuple(views.shape)}")
    views = _wide(views)
    with torch.autocast(views.device.type, enabled=False):
        return torch.cdist(views, views, p, "donot_use_mm_for_euclid_dist").sum(2) / (views.shape[1] - 1)


def view_search(
    views: Tensor,
    targets: Tensor,
    boundary: float,
    uniformity: float,
    weight: float = 0.01,
    distance: Distance = "norm",
    side: Side = "both",
    p: float = 2.0,
) -> Tensor:
    """W-search's objective (eq. 3), for each anchor by itself.

    The mean over an anchor's n views of (|h - h0| - eps1)^2 + lambda max(0, eps2 - d), with d the view's mean distance to the
    others. In the text, one d is the mean over all pairs; in the authors' code each view has its own, and so it is here.

    Args:
        views: h, (A, n, P), l2-normalised embeddings of n > 1 views of each anchor.
        targets: h0, (A, P), the embeddings that distances are from.
        boundary: eps1: the distance wanted; under "cosine", the cosine wanted.
        uniformity: eps2: the distance between views below which they repel.
        weight: lambda.
        distance: "norm", or "cosine": (h . h0 - eps1)^2 in place of the first term.
        side: "both" draws views to the boundary; "outside" only keeps them from being nearer, linearly:
            max(0, eps1 - |h - h0|), or max(0, h . h0 - eps1).
        p: Of the norms.

    Returns:
        float32 (A,).

    Raises:
        ShapeError: If the shapes do not fit or n is 1.
        OptionError: If `distance`, `side`, `uniformity` or `p` is none of these.
    """
    if views.ndim != 3 or targets.shape != (len(views), views.shape[2]):
        raise ShapeError(
            f"view_search takes views (A, n, P) and targets (A, P), got {tuple(views.shape)} and {tuple(targets.shape)}"
        )
    for name, value, choices in (("distance", distance, Distance), ("side", side, Side)):
        if value not in get_args(choices):
            raise OptionError(f"{name} is {value!r}; choose {' or '.join(get_args(choices))}")
    require_positive(uniformity=uniformity, p=p)
    views, targets = _wide(views), _wide(targets)[:, None]
    if distance == "norm":
        short = boundary - torch.linalg.vector_norm(views - targets, p, dim=2)
    else:
        short = (views * targets).sum(2) - boundary
    bound = short.square() if side == "both" else short.relu()
    return (bound + weight * (uniformity - spread(views, p)).relu()).mean(1)


def _wide(embeddings: Tensor) -> Tensor:
    """In single precision at least."""
    return embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
