"""Which features a linear model needs: spike-and-slab gates by variational EM."""

import torch
from torch import Tensor

from .evidence import regression
from .stability import standardise

TINY = 1e-9


def feature_gates(features: Tensor, targets: Tensor, sweeps: int = 100, tolerance: float = 1e-3) -> Tensor:
    """The posterior probability that each feature is used, (D,); ZooD (Dong et al. 2022) keeps those above a half.

    y_k = Phi (g * w_k) + eps, with gates g_d ~ Bernoulli(pi) that all targets share, w_dk ~ N(0, 1 / alpha_k) and
    eps ~ N(0, 1 / beta_k). The posterior is q = prod_d q(g_d) prod_k q(w_dk | g_d) (Titsias and Lazaro-Gredilla 2011). The E step
    passes over the features in turn, with r the residual of the others:

        s_dk^2 = 1 / (alpha_k + beta_k ||phi_d||^2),  m_dk = s_dk^2 beta_k phi_d' r_k
        logit q(g_d = 1) = logit pi + sum_k (log(alpha_k s_dk^2) + m_dk^2 / s_dk^2) / 2

    and the M step sets pi, alpha and beta to what maximises the bound on the evidence, pi to (1 + sum_d q(g_d = 1)) / (2 + D). It
    starts with every gate closed. That the gates are Bernoulli's, found by variational EM and kept above a half, is as this
    project remembers the paper; that targets share them, the factorisation, the order and the start are its choice.

    Args:
        features: Phi, (N, D), brought to zero mean and unit variance here, computed in float64.
        targets: Classes int64 (N,), or float (N, K); less their means here.
        sweeps: At most.
        tolerance: Stop once no gate moves by as much.

    Raises:
        DataError: If features or targets are not finite or of no common size.
    """
    features, targets = regression(features, targets)
    (features,), targets = standardise(features), targets - targets.mean(0)
    gram, moments, square, n = features.T @ features, features.T @ targets, targets.square().sum(0), len(features)
    norms = gram.diagonal().contiguous()
    means, gates = torch.zeros_like(moments), torch.zeros_like(norms)
    alpha = beta = n / square.clamp(min=TINY)
    prior = torch.tensor(0.5, dtype=torch.float64)
    explained = torch.zeros_like(moments)  # Phi' Phi (g * m), kept up to date
    for _ in range(sweeps):
        before = gates.clone()
        variances = 1 / (alpha + beta * norms[:, None])
        logit = torch.logit(prior) + (alpha * variances).log().sum(1) / 2
        for d in range(len(gram)):
            used = gates[d] * means[d]
            means[d] = variances[d] * beta * (moments[d] - explained[d] + norms[d] * used)
            gates[d] = torch.sigmoid(logit[d] + (means[d].square() / variances[d]).sum() / 2)
            explained += gram[:, d, None] * (gates[d] * means[d] - used)
        gated = gates[:, None] * means
        second = gates[:, None] * (means.square() + variances)
        spread = (norms[:, None] * (second - gated.square())).sum(0)
        residual = square - 2 * (gated * moments).sum(0) + (gated * explained).sum(0) + spread
        prior = (gates.sum() + 1) / (len(gates) + 2)
        alpha, beta = (gates.sum() + TINY) / (second.sum(0) + TINY), n / residual.clamp(min=TINY)
        if (gates - before).abs().max() < tolerance:
            break
    return gates
