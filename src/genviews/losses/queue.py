"""A memory of earlier embeddings, and what looks among them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError, require_positive
from ..randomness import normal, sample_seeds
from .similarity import inner_products, require_candidates, require_pairs


class Queue(nn.Module):
    """The last `size` embeddings, the oldest overwritten first; before that, random directions.

    On several devices each pushes the gathered batch, and all hold the same. Push after the loss: a queue must not hold its own
    positives.

    Args:
        size: K > 0.
        dim: D > 0.
        seed: Of the random directions.

    Attributes:
        keys: float32 (K, D), as they were pushed.
        position: Where the next is written, int64 scalar.

    Raises:
        OptionError: If `size` or `dim` is not positive.
    """

    keys: Tensor
    position: Tensor

    def __init__(self, size: int, dim: int, seed: int = 0):
        super().__init__()
        require_positive(size=size, dim=dim)
        self.register_buffer("keys", F.normalize(normal(sample_seeds(seed, torch.arange(size)), dim), dim=1))
        self.register_buffer("position", torch.tensor(0))

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Overwrites the oldest with `keys` (B, D), in their order, wrapping round.

        Raises:
            ShapeError: If they are not rows of D entries.
        """
        if keys.ndim != 2 or keys.shape[1] != self.keys.shape[1]:
            raise ShapeError(f"a queue {tuple(self.keys.shape)} does not take {tuple(keys.shape)}; push rows of its size")
        size = len(self.keys)
        rows = (self.position + torch.arange(len(keys), device=self.keys.device)) % size
        # a new tensor, because the graph of a loss may hold the old one
        self.keys = self.keys.index_copy(0, rows[-size:], keys[-size:].to(self.keys))
        self.position = (self.position + len(keys)) % size


def queue_info_nce(queries: Tensor, keys: Tensor, queue: Tensor, temperature: float = 0.2, normalise: bool = True) -> Tensor:
    """InfoNCE against a queue of negatives (MoCo, He et al. 2020, eq. 1).

    Each query q looks for its key k+ among that and the K of the queue:
    -log(exp(q . k+ / t) / (exp(q . k+ / t) + sum_k exp(q . k / t))).

    Args:
        queries: (B, D), any scale.
        keys: (B, D), the positives, row by row.
        queue: (K, D), the negatives of all.
        temperature: t > 0.
        normalise: l2-normalise all three; False takes the inner products as they are (feature transformation).

    Returns:
        The mean over the queries, float32 scalar, in nats.

    Raises:
        ShapeError: If the shapes do not fit or the queue is empty.
        OptionError: If `temperature` is not positive.
    """
    require_pairs("queue_info_nce", queries, keys)
    require_candidates("queue_info_nce", queries, queue)
    require_positive(temperature=temperature)
    queries, keys, queue = queries.float(), keys.float(), queue.float()
    if normalise:
        queries, keys, queue = (F.normalize(x, dim=1) for x in (queries, keys, queue))
    queries = queries / temperature
    return F.softplus(inner_products(queries, queue).logsumexp(1) - (queries * keys).sum(1)).mean()


@torch.no_grad()
def nearest_neighbours(embeddings: Tensor, support: Tensor) -> Tensor:
    """NN(z, Q) = argmin_{q in Q} |z - q| among l2-normalised vectors (NNCLR, Dwibedi et al. 2021, section 3.2), without gradient.

    NNCLR's loss is the mean of `info_nce(nearest_neighbours(first, support), second, negatives="cross")` and the same with the
    views exchanged; its second views are predictions.

    Args:
        embeddings: (B, D), any scale.
        support: Q, (K, D), any scale.

    Returns:
        float32 (B, D), l2-normalised rows of `support`.

    Raises:
        ShapeError: If the shapes do not fit or the support is empty.
    """
    require_candidates("nearest_neighbours", embeddings, support)
    support = F.normalize(support.float(), dim=1)
    return support[inner_products(F.normalize(embeddings.float(), dim=1), support).argmax(1)]
