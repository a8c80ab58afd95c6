"""How near generated samples come to real ones, by features of both; computed by torch-fidelity, in float64.

torch-fidelity takes seconds to import, so only the functions that need it do.
"""

import warnings
from dataclasses import dataclass

from torch import Tensor

from ..errors import DataError, OptionError
from .points import require_points


@dataclass(frozen=True)
class Estimate:
    """A mean and its uncertainty: the standard error over images, or the standard deviation over splits of an inception score."""

    mean: float
    error: float


@dataclass(frozen=True)
class FeatureStatistics:
    """What the FID sees of a set of features, see `feature_statistics`.

    Attributes:
        mean: float64 (D,).
        covariance: float64 (D, D).
        n: Samples.
    """

    mean: Tensor
    covariance: Tensor
    n: int


def feature_statistics(features: Tensor) -> FeatureStatistics:
    """The mean and covariance of features (N, D), to compare several sets with one.

    Raises:
        DataError: If features are not finite (N, D) with N > 1.
    """
    _check(features=features)
    features = features.double().cpu()
    return FeatureStatistics(features.mean(0), features.T.cov(), len(features))


def fid(real: Tensor | FeatureStatistics, generated: Tensor | FeatureStatistics) -> float:
    """The Frechet distance of two sets of features, each taken for a normal distribution (Heusel et al. 2017, eq. 6).

    ||m - m'||^2 + tr(C + C' - 2 (C C')^(1/2)). It is biased upwards, the more the fewer samples: compare FIDs of one size alone.

    Args:
        real: Features (N, D) or their statistics.
        generated: Features (M, D) or their statistics.

    Returns:
        0 for equal distributions, more for other ones; in squared units of the features.

    Raises:
        DataError: If features are not finite (N, D) of one D with N > 1.
    """
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    both = [x if isinstance(x, FeatureStatistics) else feature_statistics(x) for x in (real, generated)]
    dim, other = (len(statistics.mean) for statistics in both)
    if dim != other:
        raise DataError(f"real features have {dim} dimensions, generated ones {other}; extract both by the same features")
    if (fewest := min(statistics.n for statistics in both)) <= dim:
        warnings.warn(f"an FID of {fewest} samples in {dim} dimensions is mostly bias; take more samples", stacklevel=2)
    arrays = ({"mu": statistics.mean.numpy(), "sigma": statistics.covariance.numpy()} for statistics in both)
    return fid_statistics_to_metric(*arrays, verbose=False)[KEY_METRIC_FID]


def inception_score(logits: Tensor, splits: int = 10) -> Estimate:
    """exp E_x KL(p(y | x) || p(y)) (Salimans et al. 2016): how sure a classifier is of each sample, and how many classes it sees.

    Args:
        logits: (N, K), or log-probabilities, of samples.
        splits: Parts of equal size, drawn by a fixed seed, that are scored on their own.

    Returns:
        The mean, from 1 to K, and the standard deviation over the splits.

    Raises:
        DataError: If logits are not finite (N, K) with N > 1, or N is below `splits`.
        OptionError: If `splits` is not positive.
    """
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD, isc_features_to_metric

    _check(logits=logits)
    if splits < 1:
        raise OptionError(f"splits is {splits}; score at least one")
    if len(logits) < splits:
        raise DataError(f"{len(logits)} samples cannot be split into {splits} parts; take more samples or fewer splits")
    log_probabilities = logits.double().cpu().log_softmax(1).clamp(min=-700)  # below, exp underflows
    score = isc_features_to_metric(log_probabilities, splits)
    return Estimate(score[KEY_METRIC_ISC_MEAN], score[KEY_METRIC_ISC_STD])


def precision_recall(real: Tensor, generated: Tensor, k: int = 3) -> tuple[float, float]:
    """Fidelity and variety of samples apart (Kynkaanniemi et al. 2019, eq. 1 and 2).

    A set covers the balls round its points that reach to their k-th nearest other point. Precision is the fraction of generated
    samples that the real ones cover, recall the fraction of real ones that the generated samples cover.

    Args:
        real: Features (N, D).
        generated: Features (M, D); the more, the higher the recall.
        k: Neighbours, below N and M.

    Returns:
        (precision, recall), each in [0, 1].

    Raises:
        DataError: If features are not finite (N, D) of one D with N > k.
        OptionError: If k is not positive.
    """
    from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

    _check(real=real, generated=generated)
    if k < 1:
        raise OptionError(f"k is {k}; take at least one neighbour")
    if (fewest := min(len(real), len(generated))) <= k:
        raise DataError(f"{fewest} samples do not have {k} neighbours each; take more samples or a smaller k")
    score = prc_features_to_metric(
        generated.double().cpu(),
        real.double().cpu(),
        prc_neighborhood=k,
        prc_batch_size=1000,
        save_cpu_ram=True,
        verbose=False,
    )
    return score[KEY_METRIC_PRECISION], score[KEY_METRIC_RECALL]


def _check(**sets: Tensor) -> None:
    """Refuses what is not finite (N, D) with N > 1 and one D."""
    require_points(**sets)
    if len({features.shape[1] for features in sets.values()}) > 1:
        sizes = ", ".join(f"{name} {features.shape[1]}" for name, features in sets.items())
        raise DataError(f"dimensions differ ({sizes}); extract both by the same features")
