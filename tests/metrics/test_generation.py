import math

import numpy as np
import pytest
import torch
from reference import generation as reference
from torch import Tensor

from genviews.errors import DataError, OptionError
from genviews.metrics import Estimate, feature_statistics, fid, inception_score, precision_recall


def normal(n: int, dim: int, seed: int) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exactly(mean: list[float], std: list[float]) -> Tensor:
    """Features whose sample mean and covariance diag(std^2) are exact."""
    x = normal(50, len(mean), 0)
    x = torch.linalg.qr(x - x.mean(0)).Q * math.sqrt(len(x) - 1)
    return torch.tensor(mean, dtype=torch.float64) + x * torch.tensor(std, dtype=torch.float64)


REAL = normal(300, 8, 1) @ normal(8, 8, 2)
GENERATED = normal(200, 8, 3) @ normal(8, 8, 4) + 0.5


def test_fid_of_normal_distributions_is_the_closed_form() -> None:
    first, second = exactly([0, 1, 2], [1, 2, 0.5]), exactly([3, 1, 0], [2, 2, 3])
    assert fid(first, second) == pytest.approx(9 + 4 + (1 - 2) ** 2 + 0 + (0.5 - 3) ** 2, rel=1e-9)


def test_fid_is_that_of_scipys_matrix_root_from_features_or_statistics() -> None:
    expected = reference.frechet_distance(REAL, GENERATED)
    assert expected > 1
    assert fid(REAL, GENERATED) == pytest.approx(expected, rel=1e-7)
    assert fid(REAL.float(), GENERATED.float()) == pytest.approx(expected, rel=1e-4)
    statistics = feature_statistics(REAL)
    assert statistics.n == 300
    assert fid(statistics, GENERATED) == fid(REAL, feature_statistics(GENERATED)) == fid(REAL, GENERATED)


def test_fid_keeps_its_digits_far_from_zero_in_float32() -> None:
    assert fid(REAL.float() + 1e4, GENERATED.float() + 1e4) == pytest.approx(fid(REAL, GENERATED), rel=1e-2)


def test_fid_of_a_set_and_itself_is_nothing() -> None:
    assert abs(fid(REAL, REAL.flip(0))) < 1e-6
    with pytest.warns(UserWarning, match="20 samples in 40 dimensions is mostly bias"):
        few = fid(normal(20, 40, 5), normal(20, 40, 5))
    assert abs(few) < 1e-4


def test_inception_score_is_the_naive_one() -> None:
    logits = 3 * normal(101, 7, 6)
    assert inception_score(logits, splits=1) == Estimate(pytest.approx(reference.inception_score(logits.softmax(1))), 0.0)
    parts = np.array_split(np.random.RandomState(2020).permutation(100), 4)  # torch-fidelity's own order
    scores = [reference.inception_score(logits[part].softmax(1)) for part in parts]
    assert inception_score(logits[:100], splits=4) == Estimate(pytest.approx(np.mean(scores)), pytest.approx(np.std(scores)))


def test_inception_score_of_sure_and_varied_samples_is_the_number_of_classes() -> None:
    sure = 1000 * torch.eye(5).repeat(20, 1)
    assert inception_score(sure, splits=1).mean == pytest.approx(5)
    assert inception_score(sure[:1].expand(20, -1), splits=1).mean == pytest.approx(1)
    assert inception_score(torch.zeros(20, 5)) == Estimate(pytest.approx(1), pytest.approx(0))


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_and_recall_are_the_naive_ones(k: int) -> None:
    real, generated = normal(60, 3, 7), 0.7 * normal(40, 3, 8) + 0.6
    precision, recall = precision_recall(real, generated, k)
    assert precision == pytest.approx(reference.coverage(real, generated, k))
    assert recall == pytest.approx(reference.coverage(generated, real, k))
    assert precision != recall


def test_precision_sees_odd_samples_and_recall_missing_ones() -> None:
    real = normal(200, 2, 9)
    assert precision_recall(real, real) == (1, 1)
    precision, recall = precision_recall(real, torch.cat([real, real + 100]))
    assert (precision, recall) == (0.5, 1)
    precision, recall = precision_recall(real, 0.01 * real)
    assert precision == 1 and recall < 0.2


def test_what_cannot_be_compared_is_refused() -> None:
    broken = REAL.clone()
    broken[7, 3] = torch.nan
    for call, message in (
        (lambda: fid(REAL[0], GENERATED), r"features have shape \(8,\); give \(N, D\) with two samples"),
        (lambda: fid(REAL, GENERATED[:1]), r"features have shape \(1, 8\)"),
        (lambda: fid(REAL, broken), "NaN or infinite value in row 7"),
        (lambda: fid(REAL, GENERATED[:, :5]), "real features have 8 dimensions, generated ones 5"),
        (lambda: precision_recall(REAL, GENERATED[:, :5]), r"dimensions differ \(real 8, generated 5\)"),
        (lambda: precision_recall(broken, GENERATED), "real have a NaN or infinite value in row 7"),
        (lambda: precision_recall(REAL, GENERATED[:3]), "3 samples do not have 3 neighbours"),
        (lambda: inception_score(broken), "logits have a NaN"),
        (lambda: inception_score(REAL[:9]), "9 samples cannot be split into 10 parts"),
    ):
        with pytest.raises(DataError, match=message):
            call()
    with pytest.raises(OptionError, match="splits is 0"):
        inception_score(REAL, splits=0)
    with pytest.raises(OptionError, match="k is 0"):
        precision_recall(REAL, GENERATED, k=0)
