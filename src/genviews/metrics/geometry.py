"""The shape of a set of representations: how even, how wide, how much of it is used."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import DataError, require_positive
from .points import require_paired, require_points


def alignment(first: Tensor, second: Tensor, exponent: float = 2.0) -> float:
    """How far positives are apart on the unit sphere: the mean of |f(x) - f(x')|^a (Wang & Isola 2020, section 4.1).

    Args:
        first: (N, D), any length: they are l2-normalised here.
        second: (N, D), the positives, row by row.
        exponent: a > 0.

    Returns:
        0 where all positives meet, 2^a at most.

    Raises:
        DataError: If either is not finite (N, D) with N > 1, or they differ in shape.
        OptionError: If the exponent is not positive.
    """
    require_paired(first=first, second=second)
    if first.shape != second.shape:
        raise DataError(f"positives are {tuple(first.shape)} and {tuple(second.shape)}; take both from one encoder")
    require_positive(exponent=exponent)
    return float((_on_sphere(first) - _on_sphere(second)).norm(dim=1).pow(exponent).mean())


def uniformity(features: Tensor, t: float = 2.0) -> float:
    """How evenly points fill the unit sphere: log mean exp(-t |f(x) - f(y)|^2) of pairs (Wang & Isola 2020, section 4.1).

    Args:
        features: (N, D), any length: they are l2-normalised here.
        t: > 0.

    Returns:
        0 where all points are one, less the more evenly they spread, -4 t at least.

    Raises:
        DataError: If features are not finite (N, D) with N > 1.
        OptionError: If t is not positive.
    """
    require_points(features=features)
    require_positive(t=t)
    exponents = -t * torch.pdist(_on_sphere(features)).square()
    return float(exponents.logsumexp(0)) - math.log(len(exponents))


def participation_ratio(features: Tensor) -> float:
    """How many dimensions the variance of features takes: (tr C)^2 / tr(C^2) of their covariance C; small where they collapse.

    Args:
        features: (N, D).

    Returns:
        From 1, all on a line, to D, as wide in every direction.

    Raises:
        DataError: If features are not finite (N, D) with N > 1, or all are one point.
    """
    centred = standardise(features, "features")
    gram = centred.T @ centred if centred.shape[1] <= len(centred) else centred @ centred.T  # of the same eigenvalues
    return float(gram.trace() ** 2 / gram.square().sum())


def codebook_perplexity(codes: Tensor, size: int) -> float:
    """How many entries of a codebook are used: exp of the entropy of their frequencies.

    Args:
        codes: Indices of entries, integers of any shape.
        size: K, entries of the codebook.

    Returns:
        From 1, one entry alone, to K, all alike.

    Raises:
        DataError: If there are no codes, they are no integers, or one is not from 0 to K - 1.
        OptionError: If the size is not positive.
    """
    require_positive(size=size)
    if not codes.numel() or codes.is_floating_point():
        raise DataError(f"codes are {codes.dtype} {tuple(codes.shape)}; give one or more integers")
    if not 0 <= int(codes.min()) <= int(codes.max()) < size:
        raise DataError(f"codes are from {int(codes.min())} to {int(codes.max())}; a codebook of {size} has 0 to {size - 1}")
    frequencies = codes.flatten().bincount(minlength=size).double() / codes.numel()
    return float(torch.special.entr(frequencies).sum().exp())


def spread(points: Tensor, name: str = "points") -> float:
    """The root of the total variance of (N, D): the root mean square distance from the mean.

    Raises:
        DataError: If points are not finite (N, D) with N > 1, or all are one point.
    """
    require_points(**{name: points})
    points = points.double()
    found = float(points.var(0, correction=0).sum().sqrt())
    if not found > 1e-12 * float(points.abs().max()):
        raise DataError(f"{name} are all one point, which has no geometry; look at what made them")
    return found


def standardise(points: Tensor, name: str = "points") -> Tensor:
    """Points (N, D) about their mean, by one scale for all dimensions so that their total variance is 1; float64.

    Two spaces are comparable then, whatever their units and dimensions: what keeps all distances up to a scale is 1-Lipschitz.
    The scale is this project's choice. Errors are those of `spread`.
    """
    scale = spread(points, name)
    return (points.double() - points.double().mean(0)) / scale


def _on_sphere(features: Tensor) -> Tensor:
    return F.normalize(features.double(), dim=1)
