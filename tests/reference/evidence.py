"""The evidence and the gates by their definitions, without an eigenvalue or a factorised posterior."""

import math
from itertools import product

import torch
from torch import Tensor


def log_evidence(features: Tensor, target: Tensor, alpha: float, beta: float) -> float:
    """log N(y; 0, I / beta + Phi Phi' / alpha), by the dense covariance of the samples."""
    n = len(features)
    covariance = torch.eye(n, dtype=torch.float64) / beta + features @ features.T / alpha
    return float(torch.distributions.MultivariateNormal(torch.zeros(n, dtype=torch.float64), covariance).log_prob(target))


def exact_gates(features: Tensor, target: Tensor, steps: int = 60) -> Tensor:
    """EM of the spike-and-slab model with the true posterior, over all 2^D ways to open gates; one target."""
    n, d = features.shape
    alpha = beta = n / float(target.square().sum())
    prior = 0.5
    patterns = torch.tensor([*product((0.0, 1.0), repeat=d)], dtype=torch.float64)
    gates = torch.zeros(d, dtype=torch.float64)
    for _ in range(steps):
        log_posterior, second, residual = [], [], []
        for pattern in patterns:
            used = features[:, pattern > 0]
            k = used.shape[1]
            covariance = torch.linalg.inv(alpha * torch.eye(k, dtype=torch.float64) + beta * used.T @ used)
            mean = beta * covariance @ used.T @ target
            evidence = log_evidence(used, target, alpha, beta)
            log_posterior.append(evidence + k * math.log(prior / (1 - prior)))
            second.append(mean.square().sum() + covariance.trace())
            residual.append((target - used @ mean).square().sum() + (used @ covariance @ used.T).trace())
        posterior = torch.stack([torch.as_tensor(value, dtype=torch.float64) for value in log_posterior]).softmax(0)
        gates = posterior @ patterns
        prior = float((gates.sum() + 1) / (d + 2))
        alpha = float(gates.sum() / (posterior @ torch.stack(second)))
        beta = float(n / (posterior @ torch.stack(residual)))
    return gates
