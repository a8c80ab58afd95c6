"""DisCo's losses (Ren et al. 2022): contrast of the variations that shifts along latent directions make in a representation."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import OptionError, require_positive
from .similarity import inner_products, require_candidates, require_pairs

Form = Literal["paper", "code", "infonce"]


def variation(shifted: Tensor, base: Tensor) -> Tensor:
    """v = |E(G(z + A)) - E(G(z))|, l2-normalised: representations (B, J) of each -> (B, J), float32.

    Raises:
        ShapeError: If the shapes differ.
    """
    require_pairs("variation", shifted, base)
    return F.normalize((shifted.float() - base.float()).abs(), dim=1)


def variation_contrast(
    queries: Tensor,
    positives: Tensor,
    negatives: Tensor,
    temperature: float = 1.0,
    flip_threshold: float | None = 0.95,
    form: Form = "paper",
) -> Tensor:
    """Draws variations along one direction together, and away from those along others.

    With a_ij = q_i . k_j / t and s the sigmoid:

    - "paper": the sum over keys, 1/B sum_i [-sum_j log s(a_ij+) - sum_m log(1 - s(a_im-))], where a negative above the threshold
      is taken for a positive, -a log s(a) in its place (eq. 7).
    - "code", the authors' code: the mean over keys, and in place of a negative above the threshold a soft target,
      -a log s(a) - (1 - a) log(1 - s(a)). In both forms a is a constant outside of s.
    - "infonce" (Appendix F): -log exp(a_ij+) / sum_k exp(a_ik), the mean over i and j; nothing is flipped.

    Args:
        queries: (B, J), l2-normalised, as `variation` returns them.
        positives: (N, J), along the queries' direction.
        negatives: (K, J), along others; no gradient is wanted of them in the paper.
        temperature: t > 0.
        flip_threshold: Of the negatives' a; None flips none.
        form: "paper", "code" or "infonce".

    Raises:
        ShapeError: If they are of unequal J, or one is empty.
        OptionError: If `temperature` or `form` is none of these.
    """
    for candidates in (positives, negatives):
        require_candidates("variation_contrast", queries, candidates)
    require_positive(temperature=temperature)
    _require_form(form)
    attract, repel = inner_products(queries / temperature, positives), inner_products(queries / temperature, negatives)
    if form == "infonce":
        return (torch.cat([attract, repel], dim=1).logsumexp(1, keepdim=True) - attract).mean()
    target = repel.detach()
    flipped = torch.zeros_like(target, dtype=torch.bool) if flip_threshold is None else target > flip_threshold
    away = torch.where(flipped & (form == "code"), 1 - target, (~flipped).float()) * F.softplus(repel)
    towards = torch.where(flipped, target, 0) * F.softplus(-repel)
    total = F.softplus(-attract).sum() + (towards + away).sum()
    return total / (len(queries) * (len(positives) + len(negatives) if form == "code" else 1))


def domination_entropy(queries: Tensor, positives: Tensor, form: Form = "paper") -> Tensor:
    """The entropy of which dimension of the representation dominates a direction's variations; least where one alone does.

    "paper" (eq. 6) is -1/J sum_j p_j log p_j, p the softmax of the mean of all these variations. "code" is the authors' code: the
    mean over queries alone of -sum_j p_j log(p_j + 1e-5), p the softmax of each.

    Args:
        queries: (B, J), l2-normalised, along one direction.
        positives: (N, J), along the same.
        form: "paper" (and "infonce") or "code".

    Raises:
        ShapeError: If they are of unequal J, or there are no positives.
        OptionError: If `form` is none of these.
    """
    require_candidates("domination_entropy", queries, positives)
    _require_form(form)
    if form == "code":
        shares = queries.float().softmax(1)
        return -(shares * (shares + 1e-5).log()).sum(1).mean()
    shares = torch.cat([queries, positives]).float().mean(0).log_softmax(0)
    return -(shares.exp() * shares).mean()


def _require_form(form: str) -> None:
    if form not in get_args(Form):
        raise OptionError(f"form is {form!r}; choose {', '.join(get_args(Form))}")
