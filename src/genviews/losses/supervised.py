"""Contrastive loss with labels: what is of one class attracts."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ShapeError, require_positive
from .similarity import inner_products


def supervised_contrastive(
    embeddings: Tensor, labels: Tensor | None = None, temperature: float = 0.1, symmetric: bool = True
) -> Tensor:
    """SupCon (Khosla et al. 2020, eq. 2, the sum outside the logarithm), without the authors' factor t / 0.07.

    An anchor i looks for its positives P(i), all other embeddings of its class, among all the B * V - 1 others A(i):
    -1 / |P(i)| sum_{p in P(i)} log(exp(s_ip / t) / sum_{a in A(i)} exp(s_ia / t)).

    Args:
        embeddings: V views of each of B samples, (B, V, D), any scale.
        labels: Classes (B,), or who is whose positive, bool (B, B) (row by row; for samples of several classes). None makes each
            sample a class of its own: NT-Xent, for two views.
        temperature: t > 0.
        symmetric: All views are anchors; False takes the first ones alone.

    Returns:
        The mean over the B * V (or B) anchors, float32 scalar, in nats; an anchor without positives counts as 0.

    Raises:
        ShapeError: If the shapes do not fit or B is 1, which leaves no negative.
        OptionError: If `temperature` is not positive.
    """
    if embeddings.ndim != 3 or len(embeddings) < 2:
        raise ShapeError(f"supervised_contrastive takes (B, V, D) with B of at least 2, got {tuple(embeddings.shape)}")
    batch, views, _ = embeddings.shape
    if labels is not None and labels.shape not in ((batch,), (batch, batch)):
        raise ShapeError(f"labels are {tuple(labels.shape)} for a batch of {batch}; pass ({batch},) or ({batch}, {batch})")
    require_positive(temperature=temperature)
    if labels is None:
        labels = torch.arange(batch, device=embeddings.device)
    same = labels[:, None] == labels if labels.ndim == 1 else labels.bool()
    everything = F.normalize(embeddings.float().transpose(0, 1).flatten(0, 1), dim=1)
    anchors = everything if symmetric else everything[:batch]
    itself = torch.eye(len(anchors), len(everything), dtype=torch.bool, device=everything.device)
    positive = same.repeat(len(anchors) // batch, views) & ~itself
    logits = inner_products(anchors / temperature, everything).masked_fill(itself, torch.finfo(torch.float32).min)
    return F.cross_entropy(logits, positive / positive.sum(1, keepdim=True).clamp(min=1))
