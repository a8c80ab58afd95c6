import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference import disentanglement as reference
from torch import Tensor

from genviews.errors import DataError, OptionError
from genviews.metrics import dci, mig, modularity, mutual_information, sap
from genviews.metrics.disentanglement import constant_dimensions

SIZES = (4, 3, 5)


def drawn(n: int, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(size, (n,), generator=rng) for size in SIZES], 1)


def noise(n: int, dim: int, seed: int = 5) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


FACTORS = drawn(600)
MIXED = FACTORS.float() @ noise(3, 4) + 0.2 * noise(600, 4)
PERFECT = (FACTORS.float(), FACTORS)


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, Tensor]:
    with np.load(shared / "fixtures" / "metrics" / "io.npz") as arrays:
        return {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}


def part(recorded: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    return recorded[f"codes_{name}"], recorded[f"factors_{name}"]


def test_information_and_correlation_are_the_reference_librarys(recorded: dict[str, Tensor]) -> None:
    train, test = part(recorded, "train"), part(recorded, "test")
    torch.testing.assert_close(mutual_information(*train), recorded["out_mi"], atol=1e-12, rtol=0)
    assert mig(*train) == pytest.approx(float(recorded["out_mig"]), abs=1e-12)
    assert modularity(*train) == pytest.approx(float(recorded["out_modularity"]), abs=1e-12)
    assert sap(train, test, continuous=True) == pytest.approx(float(recorded["out_sap_continuous"]), abs=1e-12)


def test_sap_is_the_reference_librarys(recorded: dict[str, Tensor]) -> None:
    train, test = ((codes[:, :3], factors[:, 3:5]) for codes, factors in (part(recorded, "train"), part(recorded, "test")))
    best, second = recorded["out_sap_matrix_discrete"][:3, 3:5].sort(0, descending=True).values[:2]
    assert sap(train, test) == pytest.approx(float((best - second).mean()), abs=1e-12)


def test_dci_is_the_reference_librarys(recorded: dict[str, Tensor]) -> None:
    result = dci(part(recorded, "train"), part(recorded, "test"))
    torch.testing.assert_close(torch.tensor(result.importance).double(), recorded["out_dci_importance"], atol=0.01, rtol=0)
    scores = ("disentanglement", "completeness", "informativeness", "informativeness_train")
    for name, key in zip(scores, (*scores[:2], "informativeness_test", "informativeness_train"), strict=True):
        assert getattr(result, name) == pytest.approx(float(recorded[f"out_dci_{key}"]), abs=0.005)


def test_mig_and_modularity_are_the_naive_ones() -> None:
    arrays = MIXED.double().numpy(), FACTORS.numpy()
    expected = reference.information_matrix(*arrays, bins=7)
    np.testing.assert_allclose(mutual_information(MIXED.double(), FACTORS, bins=7).numpy(), expected, atol=1e-12)
    assert mig(MIXED.double(), FACTORS) == pytest.approx(reference.mig(*arrays), abs=1e-12)
    assert modularity(MIXED.double(), FACTORS) == pytest.approx(reference.modularity(*arrays), abs=1e-12)


def test_dci_by_scikit_learn_is_the_naive_one_and_ours_is_near() -> None:
    train, test = (MIXED[:400, :3], FACTORS[:400, :2]), (MIXED[400:, :3], FACTORS[400:, :2])
    importance, models = reference.gradient_boosting(train[0].numpy(), train[1].numpy())
    exact = dci(train, test, estimator="gradient_boosting")
    assert exact.disentanglement == pytest.approx(reference.concentration(importance), abs=1e-8)
    assert exact.completeness == pytest.approx(reference.concentration(importance.T), abs=1e-8)
    accuracies = [model.score(test[0].numpy(), test[1][:, f].numpy()) for f, model in enumerate(models)]
    assert exact.informativeness == pytest.approx(sum(accuracies) / 2)
    ours = dci(train, test)
    assert ours.disentanglement == pytest.approx(exact.disentanglement, abs=0.02)
    assert ours.completeness == pytest.approx(exact.completeness, abs=0.02)
    assert ours.informativeness == pytest.approx(exact.informativeness, abs=0.03)


def test_factors_themselves_score_one_noise_nothing_and_mixtures_between() -> None:
    independent, test = (noise(600, 3), FACTORS), (drawn(300, 1).float(), drawn(300, 1))
    mixed = (MIXED[:, :3], FACTORS)
    for score in (
        lambda part: mig(*part),
        lambda part: dci(part, part).disentanglement,
        lambda part: dci(part, part).completeness,
    ):
        perfect, blend, nothing = score(PERFECT), score(mixed), score(independent)
        assert perfect > 0.97 and nothing < 0.1 and nothing < blend < perfect
    assert modularity(*PERFECT) > 0.99 > modularity(*mixed)
    assert sap(PERFECT, test) > 0.3 > 0.15 > sap(independent, test)
    assert dci(PERFECT, test).informativeness == 1


def test_the_order_of_dimensions_and_the_names_of_values_do_not_matter() -> None:
    order = [2, 0, 3, 1]
    renamed = FACTORS * 1000 + 7
    assert mig(MIXED[:, order], renamed) == pytest.approx(mig(MIXED, FACTORS), abs=1e-12)
    first, second = dci((MIXED, FACTORS), (MIXED, FACTORS)), dci((MIXED[:, order], renamed), (MIXED[:, order], renamed))
    assert second.disentanglement == pytest.approx(first.disentanglement, abs=0.02)  # equal splits go to the first dimension
    assert second.informativeness == pytest.approx(first.informativeness, abs=0.01)


def test_constant_dimensions_know_nothing() -> None:
    codes = torch.cat([FACTORS.float(), torch.full((600, 1), 0.3)], 1)
    assert constant_dimensions(codes) == [3]
    assert mutual_information(codes, FACTORS)[3].eq(0).all()
    assert mig(codes, FACTORS) == pytest.approx(mig(*PERFECT))
    assert dci((codes, FACTORS), (codes, FACTORS)).importance[3] == [0, 0, 0]
    dead = torch.ones(600, 4)
    assert mig(dead, FACTORS) == modularity(dead, FACTORS) == sap((dead, FACTORS), (dead, FACTORS), continuous=True) == 0
    assert dci((dead, FACTORS), (dead, FACTORS)).disentanglement == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (MIXED[:-1], FACTORS, "give .N, D. and int64"),
        (MIXED, FACTORS.float(), "give .N, D. and int64"),
        (MIXED[:, 0], FACTORS, "give .N, D. and int64"),
        (MIXED[:1], FACTORS[:1], "1 samples of 4 dimensions and 3 factors"),
        (MIXED.index_fill(0, torch.tensor([9]), math.nan), FACTORS, "NaN or infinite value in row 9"),
        (MIXED, FACTORS * torch.tensor([1, 0, 1]), "factor 1 has one value"),
    ],
)
def test_what_cannot_be_scored_is_refused(codes: Tensor, factors: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        mig(codes, factors)
    with pytest.raises(DataError, match=message):
        dci((MIXED, FACTORS), (codes, factors))


def test_unknown_options_and_other_dimensions_are_refused() -> None:
    wrong: Any = "lightgbm"
    with pytest.raises(OptionError, match="'lightgbm'; choose binned or gradient_boosting"):
        dci(PERFECT, PERFECT, estimator=wrong)
    with pytest.raises(OptionError, match="bins is 0"):
        mig(MIXED, FACTORS, bins=0)
    with pytest.raises(DataError, match="one encoder"):
        dci(PERFECT, (MIXED, FACTORS))
