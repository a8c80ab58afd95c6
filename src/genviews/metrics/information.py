"""How much one view tells of the other: lower bounds of mutual information in nats, and a proxy.

The bounds take the scores T(x, y) that a critic gives to pairs; the estimators take embeddings, and bring the critic.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import DataError, NonFiniteError, OptionError, ShapeError, require_positive

SHUFFLES = 16
"""Of the second views, to estimate what the critic makes of independent ones."""


def dv_bound(joint: Tensor, product: Tensor) -> Tensor:
    """The bound of Donsker and Varadhan: E[T(x, y)] - log E[exp T(x, y')] (MINE, Belghazi et al. 2018, eq. 3).

    Args:
        joint: Scores of pairs, any shape.
        product: Scores of first views with second views of others, any shape.

    Returns:
        Nats, a scalar, with gradients to the scores.
    """
    return joint.mean() - (product.flatten().logsumexp(0) - math.log(product.numel()))


def nwj_bound(joint: Tensor, product: Tensor) -> Tensor:
    """The bound of Nguyen, Wainwright and Jordan (2010): E[T(x, y)] - E[exp(T(x, y') - 1)]; arguments as `dv_bound`'s."""
    return joint.mean() - (product - 1).exp().mean()


def nce_bound(scores: Tensor) -> Tensor:
    """InfoNCE's bound (van den Oord et al. 2018): E[T(x_i, y_i) - log 1/N sum_j exp T(x_i, y_j)], which log N bounds in turn.

    Args:
        scores: T(x_i, y_j), (N, N), the pairs on the diagonal.

    Returns:
        Nats, a scalar, with gradients to the scores.
    """
    return (scores.diagonal() - scores.logsumexp(1)).mean() + math.log(len(scores))


@dataclass(frozen=True)
class CriticOptions:
    """How MINE's critic learns.

    Attributes:
        hidden: Units between its two layers; the embeddings' size D if None.
        epochs: Over the pairs it learns from.
        batch_size: Pairs a step.
        lr: Adam's learning rate.
        held_out: Share of the pairs that the critic does not see and that give the estimate; 0 for one from the pairs it learned
            (as MINE's authors do), which is too high by what it knows by heart.
    """

    hidden: int | None = None
    epochs: int = 10
    batch_size: int = 512
    lr: float = 0.005
    held_out: float = 0.5

    def __post_init__(self) -> None:
        require_positive(hidden=self.hidden, epochs=self.epochs, batch_size=self.batch_size, lr=self.lr)
        if not 0 <= self.held_out < 1:
            raise OptionError(f"held_out is {self.held_out}; it must be in [0, 1), 0 for the estimate of the pairs learned from")


class Critic(nn.Module):
    """T(x, y): Linear(2D -> hidden), ReLU, Linear(hidden -> 1), of pairs of (B, D)."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * dim, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.layers(torch.cat([first, second], 1))[:, 0]


def mine(first: Tensor, second: Tensor, options: CriticOptions | None = None, seed: int = 0) -> float:
    """Mutual information neural estimation (Belghazi et al. 2018, algorithm 1); the defaults are those of "On assimilating
    learned views in contrastive learning", Table 1, but for the held-out part.

    A critic ascends `dv_bound`, the independent second views of a batch drawn from itself with replacement. The bound of held-out
    pairs is what is returned: a lower bound, below 0 where the critic's knowledge does not hold for other pairs.

    Args:
        first: Embeddings float (N, D).
        second: Those of the other views, row by row.
        options: See `CriticOptions`.
        seed: Of the critic, the held-out part, the order and the draws.

    Returns:
        Nats.

    Raises:
        ShapeError: If these are not two (N, D) of one shape.
        DataError: If there are fewer pairs than a batch, or all embeddings are the same.
        NonFiniteError: If an embedding is NaN or infinite, or the bound diverges.
    """
    _check("mine", first, second)
    o, rng, n = options or CriticOptions(), torch.Generator().manual_seed(seed), len(first)
    held_out, seen = torch.randperm(n, generator=rng).split([round(o.held_out * n), n - round(o.held_out * n)])
    if len(seen) < o.batch_size:
        raise DataError(
            f"the critic learns from {len(seen)} of {n} pairs, fewer than its batch of {o.batch_size}; "
            "give more pairs or a smaller batch_size"
        )
    first, second = first.float(), second.float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critic = Critic(first.shape[1], o.hidden or first.shape[1]).to(first.device)
    optimizer = torch.optim.Adam(critic.parameters(), o.lr)

    def bound(pairs: Tensor, shuffles: int = 1) -> Tensor:
        x, y = first[pairs], second[pairs]
        draws = (torch.randint(len(pairs), (len(pairs),), generator=rng) for _ in range(shuffles))
        return dv_bound(critic(x, y), torch.cat([critic(x, y[draw]) for draw in draws]))

    with torch.enable_grad():
        for batch in _batches(seen, o, rng):
            optimizer.zero_grad()
            (-bound(batch)).backward()
            optimizer.step()
    with torch.no_grad():
        estimate = float(bound(held_out if len(held_out) else seen, SHUFFLES))
    if not abs(estimate) <= 2 * math.log(n):
        raise NonFiniteError(
            f"MINE diverged to {estimate:g} nats; {n} pairs can tell 0 to {math.log(n):.1f}. Take a lower lr than {o.lr:g}"
        )
    return estimate


def _batches(pairs: Tensor, options: CriticOptions, rng: torch.Generator) -> Iterator[Tensor]:
    """Whole batches of all epochs."""
    for _ in range(options.epochs):
        order = pairs[torch.randperm(len(pairs), generator=rng)]
        yield from order[: len(pairs) // options.batch_size * options.batch_size].split(options.batch_size)


def info_nce_bound(first: Tensor, second: Tensor, temperature: float = 0.1, chunk: int = 1024) -> Tensor:
    """`nce_bound` of the critic that contrastive learning trains, T(x, y) = x.y / t between l2-normalised embeddings.

    It is the `inner_product_proxy` over t less how alike the embeddings of other samples are, E[log 1/N sum_j exp(x_i.y_j / t)].

    Args:
        first: The anchors, (N, D), any scale.
        second: Those of the other views, row by row.
        temperature: t > 0.
        chunk: Anchors at once.

    Returns:
        Nats, a scalar, at most log N: compare estimates of one N alone.

    Raises:
        OptionError: If the temperature or the chunk is not positive.
        ShapeError, DataError, NonFiniteError: As `mine`, but of any number of pairs.
    """
    require_positive(temperature=temperature, chunk=chunk)
    _check("info_nce_bound", first, second)
    first, second = F.normalize(first.float(), dim=1) / temperature, F.normalize(second.float(), dim=1)
    among = torch.cat([(anchors @ second.T).logsumexp(1) for anchors in first.split(chunk)])
    return ((first * second).sum(1) - among).mean() + math.log(len(first))


def inner_product_proxy(first: Tensor, second: Tensor) -> Tensor:
    """E[z_1.z_2] of l2-normalised embeddings of pairs: the proxy of mutual information of "On assimilating learned views in
    contrastive learning", Proposition 3.3.

    It is 1 - E[|z_1 - z_2|^2] / 2, and what the pairs contribute to `info_nce_bound`. Among kinds of views whose embeddings are
    spread alike, what other samples contribute is the same, and so the bound orders the kinds as this proxy does.

    Args:
        first: (N, D), any scale.
        second: Those of the other views, row by row.

    Returns:
        A scalar in [-1, 1].

    Raises:
        ShapeError, DataError, NonFiniteError: As `mine`, but of any number of pairs.
    """
    _check("inner_product_proxy", first, second)
    return F.cosine_similarity(first.float(), second.float()).mean()


def _check(where: str, first: Tensor, second: Tensor) -> None:
    if first.ndim != 2 or first.shape != second.shape or not len(first):
        raise ShapeError(f"{where} takes two (N, D) of one shape, N > 0, got {tuple(first.shape)} and {tuple(second.shape)}")
    for name, embeddings in (("first", first), ("second", second)):
        if not (finite := embeddings.isfinite().all(1)).all():
            raise NonFiniteError(
                f"the {name} embedding of pair {int(finite.int().argmin())} is NaN or infinite; train the encoder again"
            )
        if len(embeddings) > 1 and embeddings.std(0).norm() <= 1e-5 * embeddings.norm(dim=1).mean():
            raise DataError(f"all {len(first)} {name} embeddings are the same; the encoder has collapsed, train it again")
