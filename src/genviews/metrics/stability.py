"""How much features of new images look like those of old ones."""

import math

import torch
from torch import Tensor

from ..errors import DataError, OptionError
from .evidence import check_features


def feature_stability(features: Tensor, new: Tensor, shrinkage: float = 0.1) -> float:
    """The log density of new features under a Gaussian fitted to others (ZooD, Dong et al. 2022), in nats a number.

    log p(Phi' | Phi) = mean_i log N(phi'_i; mu, Sigma) with mu and Sigma of Phi. A density has the units of its features, so that
    of two encoders it could not be compared. Here it is taken in the coordinates in which Sigma is the identity, and divided by
    D: -(log 2 pi + ||Sigma^(-1/2) (phi' - mu)||^2 / D) / 2 is the same for Phi A + b, up to the shrinkage, and -1.42 where
    nothing shifts. Sigma is the empirical covariance C of features of unit variance, shrunk to (1 - shrinkage) C + shrinkage I.
    The equation is as this project remembers the paper's; whitening, the division and the shrinkage are its own choice.

    Args:
        features: Phi, (N, D), N > 1, of any float type; computed in float64.
        new: Phi', (M, D).
        shrinkage: Between 0 and 1, exclusive of 0.

    Raises:
        DataError: If the features are not finite, of two sizes, or of fewer than two samples.
        OptionError: If the shrinkage is not in (0, 1].
    """
    if not 0 < shrinkage <= 1:
        raise OptionError(f"shrinkage is {shrinkage}; choose a number above 0 and at most 1, such as 0.1")
    features, new = check_features(features), check_features(new)
    if len(features) < 2 or features.shape[1] != new.shape[1]:
        raise DataError(
            f"features are {tuple(features.shape)} and new ones {tuple(new.shape)}; give (N, D) with N > 1 and (M, D)"
        )
    features, new = standardise(features, new)
    variances, directions = torch.linalg.eigh((1 - shrinkage) * features.T @ features / len(features))
    whitened = (new @ directions) / (variances.clamp(min=0) + shrinkage).sqrt()
    return -(math.log(2 * math.pi) + float(whitened.square().mean())) / 2


def standardise(features: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Features (N, D) and others (M, D), less the former's mean and by their standard deviation; a constant stays one."""
    std, mean = torch.std_mean(features, 0, correction=0)
    std = torch.where(std > 1e-6 * mean.abs(), std, 1.0)
    return tuple((part - mean) / std for part in (features, *others))
