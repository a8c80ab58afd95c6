"""Contrastive learning as stochastic neighbour embedding: neighbourhoods P to be reached, Q of the embeddings, KL(P || Q).

Hu et al. (2023) see SimCLR as SNE whose P is given by positive pairs instead of distances, which makes t-SimCLR of it as t-SNE is
made of SNE. All matrices are float64.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import OptionError, require_positive
from .points import require_paired


@dataclass(frozen=True)
class Neighbourhoods:
    """Who is near whom, in what is given and in what is learned.

    Attributes:
        p: (N, N), the diagonal 0.
        log_q: (N, N), the diagonal -inf.
    """

    p: Tensor
    log_q: Tensor

    @property
    def q(self) -> Tensor:
        """(N, N), the diagonal 0."""
        return self.log_q.exp()

    @property
    def kl(self) -> Tensor:
        """The sum over i != j of p log(p / q), in nats; differentiable to the embeddings."""
        near = self.p > 0
        return (self.p[near] * (self.p[near].log() - self.log_q[near])).sum()


def sne(inputs: Tensor, embeddings: Tensor, perplexity: float = 30.0) -> Neighbourhoods:
    """SNE (Hinton & Roweis 2002): Gaussian neighbourhoods of each point among the others.

    Row i of P is proportional to exp(-|x_i - x_j|^2 / (2 s_i^2)), s_i such that its perplexity is the given one; row i of Q to
    exp(-|y_i - y_j|^2). Rows sum to 1, so that the KL is SNE's cost, the sum over all rows.

    Args:
        inputs: x, (N, D).
        embeddings: y, (N, d).
        perplexity: Effective number of neighbours, at least 1 and below N - 1.

    Raises:
        DataError: If either is not finite (N, D), or their N differ.
        OptionError: If the perplexity is out of its range.
    """
    require_paired(inputs=inputs, embeddings=embeddings)
    return Neighbourhoods(_perplex(inputs, perplexity), _among_row(-_squared(embeddings)))


def t_sne(inputs: Tensor, embeddings: Tensor, perplexity: float = 30.0) -> Neighbourhoods:
    """t-SNE (van der Maaten & Hinton 2008): both symmetric, Q proportional to 1 / (1 + |y_i - y_j|^2).

    P is that of `sne` plus its transpose, over 2 N. Each sums to 1 over all pairs, so that the KL is t-SNE's cost. Arguments and
    errors are those of `sne`.
    """
    require_paired(inputs=inputs, embeddings=embeddings)
    p = _perplex(inputs, perplexity)
    return Neighbourhoods((p + p.T) / (2 * len(p)), _among_all(-_squared(embeddings).log1p()))


def simclr(first: Tensor, second: Tensor, temperature: float = 0.5) -> Neighbourhoods:
    """SimCLR: P is 1 / 2n on the 2n ordered positive pairs; row i of Q is proportional to exp(cos(y_i, y_j) / t).

    P sums to 1 over all pairs and Q over each row, as the authors have it, so that KL(P || Q) = InfoNCE - log 2n: that is
    `losses.info_nce` of the two views. Their slide leaves out t; it is the loss's own.

    Args:
        first: (n, d), any length.
        second: (n, d), the positives, row by row.
        temperature: t > 0.

    Raises:
        DataError: If either is not finite (n, d), or their n differ.
        OptionError: If the temperature is not positive.
    """
    require_positive(temperature=temperature)
    both = F.normalize(_views(first, second), dim=1)
    return Neighbourhoods(_positives(both), _among_row(both @ both.T / temperature))


def t_simclr(first: Tensor, second: Tensor, temperature: float = 8.0, df: float = 5.0) -> Neighbourhoods:
    """t-SimCLR (Hu et al. 2023): P is SimCLR's; Q is proportional to (1 + |y_i - y_j|^2 / (t df))^(-(df + 1) / 2).

    Each sums to 1 over all pairs; KL(P || Q) is `losses.student_t_info_nce` of the two views - log 2n.

    Args:
        first: (n, d), as they are: not l2-normalised.
        second: (n, d), the positives, row by row.
        temperature: t > 0.
        df: Degrees of freedom > 0.

    Raises:
        DataError: If either is not finite (n, d), or their n differ.
        OptionError: If the temperature or df is not positive.
    """
    require_positive(temperature=temperature, df=df)
    both = _views(first, second)
    return Neighbourhoods(_positives(both), _among_all(-(df + 1) / 2 * (_squared(both) / (temperature * df)).log1p()))


def _views(first: Tensor, second: Tensor) -> Tensor:
    require_paired(first=first, second=second)
    return torch.cat([first, second]).double()


def _positives(both: Tensor) -> Tensor:
    """1 / 2n where one of both views (2n, d) is the positive of the other."""
    return torch.eye(len(both), dtype=both.dtype, device=both.device).roll(len(both) // 2, 1) / len(both)


def _squared(points: Tensor) -> Tensor:
    points = points.double()
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").square()


def _others(logits: Tensor) -> Tensor:
    return logits.masked_fill(torch.eye(len(logits), dtype=torch.bool, device=logits.device), -torch.inf)


def _among_row(logits: Tensor) -> Tensor:
    return _others(logits).log_softmax(1)


def _among_all(logits: Tensor) -> Tensor:
    return _others(logits).flatten().log_softmax(0).view_as(logits)


@torch.no_grad()
def _perplex(points: Tensor, perplexity: float, halvings: int = 60) -> Tensor:
    """Rows proportional to exp(-b_i |x_i - x_j|^2), each b_i found by bisection of its logarithm."""
    if not 1 <= perplexity < len(points) - 1:
        raise OptionError(f"perplexity is {perplexity} for {len(points)} points; take one from 1 to below {len(points) - 1}")
    squared = _squared(points)
    squared = squared / squared.mean().clamp(min=torch.finfo(squared.dtype).tiny)
    low = torch.full_like(squared[:, :1], -40.0)
    high = -low
    for _ in range(halvings):
        middle = (low + high) / 2
        entropy = torch.special.entr(_among_row(-middle.exp() * squared).exp()).sum(1, keepdim=True)
        wide = entropy > math.log(perplexity)
        low, high = torch.where(wide, middle, low), torch.where(wide, high, middle)
    return _among_row(-high.exp() * squared).exp()
