"""Gradient boosted trees as scikit-learn's GradientBoostingClassifier grows them, the classes of a stage all at once, on bins."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

EXACT = 4096
"""Rows up to which splits are sought between all values: of so few, bins would shift importances by 0.03."""

COARSE = 255
"""Bins of more rows, which shift importances by less than 0.01."""


@dataclass(frozen=True)
class Bins:
    """Each feature's rows, sorted into B bins: one a value where there are no more of them, or of about as many rows each.

    Attributes:
        rows: Feature after feature, bin after bin, int64 (D * N,).
        offsets: Where each bin begins in `rows`, and the end, int64 (D * B + 1,).
        low: The least value in each bin, (D, B); infinite where a feature has fewer bins.
        high: The greatest.
    """

    rows: Tensor
    offsets: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, x: Tensor, count: int) -> "Bins":
        """At most `count` bins of each column of x (N, D)."""
        n, d = x.shape
        values, rows = x.T.contiguous().sort(1)
        last = torch.arange(1, count + 1, device=x.device) * n // count - 1
        low, high = x.new_full((2, d, count), torch.inf)
        sizes = rows.new_zeros(d, count)
        for feature, ordered in enumerate(values):
            tops = ordered.unique()
            if len(tops) > count:
                tops = ordered[last].unique()
            ends = torch.searchsorted(ordered, tops, right=True)
            starts = F.pad(ends[:-1], (1, 0))
            low[feature, : len(tops)], high[feature, : len(tops)] = ordered[starts], tops
            sizes[feature, : len(tops)] = ends - starts
        return cls(rows.flatten(), F.pad(sizes.flatten().cumsum(0), (1, 0)), low, high)

    def cumulative(self, columns: Tensor) -> Tensor:
        """The sums (D, B, W) of columns (N, W) over the rows up to the end of each bin."""
        sums = F.embedding_bag(self.rows, columns, self.offsets, mode="sum", include_last_offset=True)
        return sums.view(*self.low.shape, -1).cumsum(1)


def boost(x: Tensor, labels: Tensor, stages: int = 100, rate: float = 0.1, depth: int = 3) -> tuple[Tensor, Tensor]:
    """Gradient boosting of the multinomial deviance, or the binomial one of two classes (Friedman 2001, algorithms 5 and 6).

    A stage grows a regression tree a class on the residuals, each split the one that removes most of their squared error, then
    takes a Newton step a leaf. Splits are sought between all values where there are no more than `EXACT` rows, else between
    `COARSE` bins of equally many rows; among equal ones the first is taken, where scikit-learn draws.

    Args:
        x: float (N + M, D); the first N rows are fitted.
        labels: int64 (N,), each of 0 to K - 1 at least once.
        stages: Trees a class.
        rate: By which a tree's steps are multiplied.
        depth: Of the trees.

    Returns:
        The classes' scores, float32 (N + M, K), and the features' importances, float64 (D,): the squared error that the splits
        at a feature removed, as a fraction of all; all zero if there was no split.
    """
    x, n = x.float(), len(labels)
    bins = Bins.of(x[:n], n if n <= EXACT else COARSE)
    targets = F.one_hot(labels).float()
    k = targets.shape[1]
    if k == 2:
        targets = targets[:, 1:]
    prior = targets.mean(0)
    scores = (prior.logit() if k == 2 else prior.log()).repeat(len(x), 1)
    importance = x.new_zeros(x.shape[1], dtype=torch.float64)
    for _ in range(stages):
        probabilities = scores[:n].sigmoid() if k == 2 else scores[:n].softmax(1)
        residuals = targets - probabilities
        leaves = _grow(x, residuals, bins, depth, importance)
        sums, curvatures = (
            torch.zeros(2**depth, targets.shape[1], device=x.device).scatter_add_(0, leaves[:n], part)
            for part in (residuals, probabilities * (1 - probabilities))
        )
        steps = torch.where(curvatures > 0, sums / curvatures, 0) * (1 if k == 2 else (k - 1) / k)
        scores += rate * steps.gather(0, leaves)
    if k == 2:
        scores = F.pad(scores, (1, 0))
    return scores, importance / importance.sum().clamp(min=torch.finfo(importance.dtype).tiny)


def _grow(x: Tensor, residuals: Tensor, bins: Bins, depth: int, importance: Tensor) -> Tensor:
    """A regression tree for each column of residuals (N, K): the leaves int64 (N + M, K) of x; adds to the importance (D,)."""
    (n, k), count = residuals.shape, bins.low.shape[1]
    nodes = torch.zeros(len(x), k, dtype=torch.int64, device=x.device)
    classes = torch.arange(k, device=x.device)
    sums = x.new_zeros(0)
    for level in range(depth):
        lefts = torch.arange(0, 2**level, 2, device=x.device)[:, None]
        inside = (nodes[:n, None] == lefts).float()  # of left children alone: their siblings have the rest
        half = bins.cumulative(torch.stack([inside * residuals[:, None], inside], 1).flatten(1)).view(*bins.low.shape, 2, -1, k)
        sums = torch.stack([half, sums - half], 4).flatten(3, 4) if level else half
        left, size = sums.unbind(2)  # (D, B, nodes, K)
        total, whole = left[0, -1], size[0, -1]
        gain = left.square().div_(size.clamp(min=1))
        gain += (total - left).square_().div_((whole - size).clamp_(min=1))
        gain, best = gain.flatten(0, 1).max(0)
        feature, bin_ = best // count, best % count
        sizes = size[feature, :, torch.arange(2**level, device=x.device)[:, None], classes]  # (nodes, K, B)
        taken = sizes.gather(2, bin_[..., None])
        following = (sizes > taken).byte().argmax(2)  # the next bin with a row of the node
        threshold = (bins.high[feature, bin_].double() + bins.low[feature, following]) / 2
        none = (taken[..., 0] == 0) | (taken[..., 0] == whole)
        threshold[none] = torch.inf  # all go left
        removed = (gain - total.square() / whole.clamp(min=1)).clamp(min=0).masked_fill(none, 0)
        importance.index_add_(0, feature.flatten(), removed.flatten().double())
        nodes = 2 * nodes + (x.gather(1, feature.gather(0, nodes)) > threshold.gather(0, nodes))
    return nodes
