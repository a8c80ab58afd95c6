"""Disentanglement by intervention: codes of batches that share the value of one factor.

Codes come as float (N, D) with their factors int64 (N, F), among which a batch is drawn, or as a function of factors int64 (n, F)
that returns them, with the number of values of each factor. The definitions are those of disentanglement_lib (Locatello et al.
2019), whose numbers the field compares.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from ..errors import DataError, OptionError, require_positive
from ..randomness import derive, sample_seeds, uniform
from .classification import Labelled
from .disentanglement import check_coded

Encode = Callable[[Tensor], Tensor]
"""Factors int64 (n, F) -> codes float (n, D)."""

Draw = Callable[[Tensor, int, Tensor], Tensor]
"""The shared factors (n,), a size and seeds (n,) -> n groups of codes (n, size, D), each of one value of its factor."""

CHUNK = 1000
"""Batches that are drawn at once."""


def beta_vae_score(
    codes: Tensor | Encode,
    factors: Tensor | Sequence[int],
    *,
    train: int = 10_000,
    test: int = 5_000,
    batch_size: int = 64,
    seed: int = 0,
) -> float:
    """The beta-VAE score (Higgins et al. 2017, section 3): whether a linear classifier sees which factor pairs of codes share.

    It sees the absolute difference of two codes that share one factor, averaged over a batch of such pairs.

    Args:
        codes: float (N, D), or a function from factors to them.
        factors: int64 (N, F), or for a function the number of values of each factor.
        train: Batches that the logistic regression, scikit-learn's with its defaults, is fitted to.
        test: Batches that it is scored on.
        batch_size: Pairs a batch.
        seed: Of the batches.

    Returns:
        Its test accuracy, in [0, 1].

    Raises:
        DataError: If the codes cannot be scored; see `disentanglement.check_coded`.
        OptionError: If a factor has one value, or a number is not positive.
    """
    require_positive(train=train, test=test, batch_size=batch_size)

    def summary(pairs: Tensor) -> Tensor:
        return (pairs[:, :, 0] - pairs[:, :, 1]).abs().double().mean(1)

    draw, count = _drawing(codes, factors)
    points, labels = _summaries(draw, count, train + test, batch_size, 2, seed, summary)
    return logistic_accuracy((points[:train], labels[:train]), (points[train:], labels[train:]))


def factor_vae_score(
    codes: Tensor | Encode,
    factors: Tensor | Sequence[int],
    *,
    train: int = 10_000,
    test: int = 5_000,
    batch_size: int = 64,
    least_std: float = 0.05,
    seed: int = 0,
) -> float:
    """The FactorVAE score (Kim & Mnih 2018, section 2): whether the dimension that varies least tells the shared factor.

    Of each batch the dimension with the least variance, relative to its variance over all codes, is taken; each dimension votes
    for the factor that most batches of it share.

    Args:
        codes: float (N, D), or a function from factors to them.
        factors: int64 (N, F), or for a function the number of values of each factor.
        train: Batches that set the votes.
        test: Batches that they are scored on.
        batch_size: Codes a batch, two or more.
        least_std: Dimensions with a smaller standard deviation are left out.
        seed: Of the batches.

    Returns:
        The test accuracy of the votes, in [0, 1]; 0 if all dimensions are left out.

    Raises:
        DataError: If the codes cannot be scored; see `disentanglement.check_coded`.
        OptionError: If a factor has one value, or a number is not positive.
    """
    require_positive(train=train, test=test)
    if batch_size < 2:
        raise OptionError(f"batch_size is {batch_size}; a variance takes two codes or more")
    draw, count = _drawing(codes, factors)
    overall = draw(torch.zeros(train, dtype=torch.int64), 1, sample_seeds(seed, -1 - torch.arange(train)))[:, 0].var(0)
    active = overall.sqrt() >= least_std
    if not active.any():
        return 0.0

    def summary(batches: Tensor) -> Tensor:
        return least_varied(batches[:, 0, :, active], overall[active])

    dimensions, labels = _summaries(draw, count, train + test, 1, batch_size, seed, summary)
    return vote_accuracy((dimensions[:train], labels[:train]), (dimensions[train:], labels[train:]))


def least_varied(batches: Tensor, overall: Tensor) -> Tensor:
    """The dimension int64 (n,) whose variance in a batch of codes (n, size, D) is the least fraction of that `overall` (D,)."""
    return (batches.var(1) / overall).argmin(1)


def logistic_accuracy(train: Labelled, test: Labelled) -> float:
    """The test accuracy of scikit-learn's logistic regression of labels (N,) by points (N, D)."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(random_state=0).fit(train[0].numpy(), train[1].numpy())
    return float(model.score(test[0].numpy(), test[1].numpy()))


def vote_accuracy(train: Labelled, test: Labelled) -> float:
    """The test accuracy of a majority vote: of the training labels (N,) of each dimension, int64 (N,)."""
    dimensions, labels = (int(max(part.max() for part in parts)) + 1 for parts in zip(train, test, strict=True))
    votes = (train[0] * labels + train[1]).bincount(minlength=dimensions * labels).view(dimensions, labels)
    return float((votes.argmax(1)[test[0]] == test[1]).double().mean())


def _summaries(
    draw: Draw, factors: int, count: int, groups: int, size: int, seed: int, summary: Callable[[Tensor], Tensor]
) -> Labelled:
    """What `summary` makes of `count` batches of codes (b, groups, size, D) that share a random factor, and that factor."""
    summaries, shared = [], []
    for indices in torch.arange(count).split(CHUNK):
        factor = (uniform(derive(sample_seeds(seed, indices), 1), 1)[:, 0].double() * factors).long()
        members = (indices[:, None] * groups + torch.arange(groups)).flatten()
        codes = draw(factor.repeat_interleave(groups), size, sample_seeds(seed, members))
        summaries.append(summary(codes.view(len(indices), groups, size, -1)))
        shared.append(factor)
    return torch.cat(summaries), torch.cat(shared)


def _drawing(codes: Tensor | Encode, factors: Tensor | Sequence[int]) -> tuple[Draw, int]:
    """How to draw groups of codes, and the number of factors."""
    if isinstance(codes, Tensor) and isinstance(factors, Tensor):
        check_coded(codes, factors)
        return partial(_among_rows, codes.cpu(), factors.cpu()), factors.shape[1]
    if isinstance(codes, Tensor) or isinstance(factors, Tensor):
        raise OptionError("codes come with the factors (N, F) of each, a function with the number of values of each factor")
    if min(factors) < 2:
        raise OptionError(f"factors have {tuple(factors)} values; leave those with one value out")
    return partial(_by_function, codes, torch.tensor(factors)), len(factors)


def _among_rows(codes: Tensor, factors: Tensor, shared: Tensor, size: int, seeds: Tensor) -> Tensor:
    """`Draw` among the rows that have the factor's value in a random row."""
    draws = uniform(seeds, size + 1).double()
    anchors = (draws[:, 0] * len(codes)).long()
    rows = torch.empty(len(shared), size, dtype=torch.int64)
    for factor, column in enumerate(factors.unbind(1)):
        groups = shared == factor
        values, order = column.sort()
        wanted = column[anchors[groups]]
        start, end = (torch.searchsorted(values, wanted, right=right)[:, None] for right in (False, True))
        rows[groups] = order[start + (draws[groups, 1:] * (end - start)).long()]
    return codes[rows]


def _by_function(encode: Encode, sizes: Tensor, shared: Tensor, size: int, seeds: Tensor) -> Tensor:
    """`Draw` by factors, uniform but for the shared one."""
    factors = (uniform(seeds, size * len(sizes)).double().view(-1, size, len(sizes)) * sizes).long()
    column = shared[:, None, None].expand(-1, size, 1)
    factors.scatter_(2, column, factors.gather(2, column)[:, :1].expand(-1, size, 1))
    codes = encode(factors.flatten(0, 1)).cpu()
    if not (finite := codes.isfinite().all(1)).all():
        factor = factors.flatten(0, 1)[int(finite.int().argmin())].tolist()
        raise DataError(f"the codes of factors {factor} have a NaN or infinite value; look at the encoder")
    return codes.view(*factors.shape[:2], -1)
