"""The evidence of a linear model of features: how well they explain targets, with nothing left to overfit."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import DataError

STEPS, TOLERANCE = 11, 1e-3


@dataclass(frozen=True)
class Evidence:
    """Bayesian linear regression of each target alone, its hyperparameters fitted.

    Attributes:
        log_likelihood: log p(y | Phi, alpha, beta) of each target, in nats over all samples, float64 (K,).
        alpha: Precision of the weights' prior, float64 (K,).
        beta: Precision of the noise, float64 (K,).
        weights: Posterior means, float64 (D, K): `features @ weights` predicts targets, its argmax over K classes.
        samples: N.
        rank: Of the features, at most min(N, D).
    """

    log_likelihood: Tensor
    alpha: Tensor
    beta: Tensor
    weights: Tensor
    samples: int
    rank: int

    @property
    def per_sample(self) -> float:
        """The log evidence of a sample's target, in nats, averaged over the targets."""
        return float(self.log_likelihood.mean()) / self.samples

    @property
    def logme(self) -> float:
        """`per_sample` as LogME's released code has it, to compare with published scores.

        Of features whose rank is below D, that code adds log(alpha) / 2 for each direction that they lack, where the prior and
        the posterior are one and cancel.
        """
        lacking = len(self.weights) - self.rank
        return self.per_sample + lacking * float(self.alpha.log().mean()) / (2 * self.samples)


def evidence(features: Tensor, targets: Tensor) -> Evidence:
    """The log evidence of targets given features, maximised over alpha and beta by LogME's fixed point (You et al. 2021).

    y = Phi w + eps with w ~ N(0, 1 / alpha) and eps ~ N(0, 1 / beta), so that y ~ N(0, 1 / beta + Phi Phi' / alpha). With
    gamma = sum_i s_i^2 / (s_i^2 + alpha / beta) over the singular values s of Phi and the posterior mean m, each step sets
    alpha = gamma / ||m||^2 and beta = (N - gamma) / ||y - Phi m||^2. As in the authors' code a target stops once alpha / beta
    changed by less than a thousandth, or after 11 steps, and 1e-5 is added to both denominators; there is no intercept.

    Args:
        features: Phi, (N, D), of any float type; computed in float64.
        targets: Classes int64 (N,), each class one target of 0 and 1; or float (N, K).

    Raises:
        DataError: If the features or targets are not finite or not of one number of samples, or all features are zero.
    """
    features, targets = regression(features, targets)
    n, square = len(features), targets.square().sum(0)
    variances, directions = _spectrum(features)  # s^2 (k,) and V (D, k)
    projected = (directions.T @ (features.T @ targets)) / variances.sqrt()[:, None]  # U'y (k, K)
    energy, rest = projected.square(), (square - projected.square().sum(0)).clamp(min=0)
    alpha, beta = torch.ones_like(square), torch.ones_like(square)
    ratio, moving, s2 = alpha / beta, torch.ones_like(square, dtype=torch.bool), variances[:, None]
    for _ in range(STEPS):
        t = torch.where(moving, alpha / beta, ratio)
        gamma = (s2 / (s2 + t)).sum(0)
        norm = (s2 * energy / (s2 + t).square()).sum(0)
        residual = (energy / (1 + s2 / t).square()).sum(0) + rest
        alpha = torch.where(moving, gamma / (norm + 1e-5), alpha)
        beta = torch.where(moving, (n - gamma) / (residual + 1e-5), beta)
        ratio, moving = t, moving & ((alpha / beta - t).abs() > TOLERANCE * t)
        if not moving.any():
            break
    log_determinant = (alpha + beta * s2).log().sum(0) - len(s2) * alpha.log()
    log_likelihood = (n * beta.log() - log_determinant - beta * residual - alpha * norm - n * math.log(2 * math.pi)) / 2
    weights = directions @ (variances.sqrt()[:, None] * projected / (s2 + ratio))
    return Evidence(log_likelihood, alpha, beta, weights, n, len(variances))


def regression(features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Features (N, D) and targets (N, K) in float64, on the features' device; classes int64 (N,) become targets of 0 and 1.

    Raises:
        DataError: If either is not finite, or they are not of one number of samples.
    """
    features, targets = check_features(features), _targets(targets).to(features.device)
    if len(targets) != len(features):
        raise DataError(f"there are {len(features)} features and {len(targets)} targets; give one target a sample")
    return features, targets


def check_features(features: Tensor) -> Tensor:
    """Features (N, D) in float64.

    Raises:
        DataError: If they are none, or not finite.
    """
    if features.ndim != 2 or not features.numel():
        raise DataError(f"features are {tuple(features.shape)}; give (N, D) with N and D above zero")
    bad = ~features.isfinite().all(1)
    if bad.any():
        raise DataError(
            f"features have a NaN or infinite value in row {int(bad.nonzero()[0])}; look at the encoder that made them"
        )
    return features.double()


def _targets(targets: Tensor) -> Tensor:
    if targets.ndim == 1 and targets.dtype == torch.int64 and len(targets) and targets.min() >= 0:
        return F.one_hot(targets).double()
    if targets.ndim != 2 or not targets.is_floating_point() or not targets.isfinite().all():
        raise DataError(
            f"targets are {targets.dtype} {tuple(targets.shape)}; give int64 classes (N,) from 0 or finite numbers (N, K)"
        )
    return targets.double()


def _spectrum(features: Tensor) -> tuple[Tensor, Tensor]:
    """Squared singular values above rounding (k,) and right singular vectors (D, k), by way of the smaller Gram matrix."""
    n, d = features.shape
    variances, vectors = torch.linalg.eigh(features.T @ features if n > d else features @ features.T)
    if not variances[-1] > 0:
        raise DataError("all features are zero; look at the encoder that made them")
    kept = variances > variances[-1] * max(n, d) * torch.finfo(torch.float64).eps
    variances, vectors = variances[kept], vectors[:, kept]
    return variances, vectors if n > d else features.T @ vectors / variances.sqrt()
