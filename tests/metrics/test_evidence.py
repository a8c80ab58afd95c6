"""The evidence of linear models, the stability of features, and the gates that select them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from reference.evidence import exact_gates, log_evidence
from torch import Tensor

from genviews.errors import DataError, OptionError
from genviews.metrics import evidence, feature_gates, feature_stability


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=rng(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, Tensor]:
    with np.load(shared / "fixtures" / "loss_logme" / "io.npz") as arrays:
        return {name: torch.tensor(array) for name, array in arrays.items()}


@pytest.mark.parametrize("shape", ["tall", "wide"])
@pytest.mark.parametrize("kind", ["cls", "reg"])
def test_every_number_of_logme(recorded: dict[str, Tensor], shape: str, kind: str) -> None:
    features, name = recorded[f"f_{shape}"], f"{shape}_{kind}_fit"
    found = evidence(features, recorded[f"{'y' if kind == 'cls' else 'yreg'}_{shape}"])
    assert found.logme == pytest.approx(float(recorded[f"out_{name}"]), rel=1e-9)
    torch.testing.assert_close(found.alpha, recorded[f"out_{name}_alphas"], rtol=1e-9, atol=0)
    torch.testing.assert_close(found.beta, recorded[f"out_{name}_betas"], rtol=1e-8, atol=0)
    predicted = features.double() @ found.weights
    torch.testing.assert_close(predicted.argmax(1) if kind == "cls" else predicted, recorded[f"out_pred_{name}"])
    assert (found.per_sample == found.logme) == (shape == "tall")
    assert found.per_sample == pytest.approx(float(recorded[f"out_{shape}_{kind}_icml"]), abs=1e-3)  # their first code


@pytest.mark.parametrize("shape", [(30, 5), (10, 40), (20, 20)])
def test_it_is_the_marginal_likelihood(shape: tuple[int, int]) -> None:
    features = normal(*shape)
    features[:, 0] = features[:, 1]  # of a rank below D
    targets = features[:, :3] @ normal(3, 4, seed=1) + 0.5 * normal(shape[0], 4, seed=2)
    found = evidence(features, targets)
    for k in range(4):
        alpha, beta = float(found.alpha[k]), float(found.beta[k])
        best = log_evidence(features, targets[:, k], alpha, beta)
        moved = 0.01 * shape[0] if shape[0] < shape[1] else 1e-3  # by the last step, or of those that are cut off by the 11th
        assert float(found.log_likelihood[k]) == pytest.approx(best, abs=moved)
        for change in (0.5, 2.0) if shape == (30, 5) else ():
            assert log_evidence(features, targets[:, k], change * alpha, beta) < best - 0.1
            assert log_evidence(features, targets[:, k], alpha, change * beta) < best - 0.1
    each = [float(evidence(features, targets[:, k : k + 1]).log_likelihood) for k in range(4)]
    torch.testing.assert_close(found.log_likelihood, torch.tensor(each, dtype=torch.float64))


def test_noise_of_known_size_is_found() -> None:
    features = normal(4000, 6)
    found = evidence(features, features @ normal(6, 1, seed=1) + 0.5 * normal(4000, 1, seed=2))
    assert float(found.beta) == pytest.approx(4, rel=0.05)
    assert found.per_sample == pytest.approx(-math.log(2 * math.pi * math.e * 0.25) / 2, abs=0.03)


def test_classes_are_targets_of_zero_and_one() -> None:
    features, labels = normal(50, 4), torch.arange(50) % 3
    one_hot = torch.nn.functional.one_hot(labels).double()
    assert evidence(features, labels).per_sample == evidence(features, one_hot).per_sample


@pytest.mark.parametrize(
    ("features", "targets", "message"),
    [
        (torch.full((3, 2), math.nan), torch.arange(3), "NaN or infinite value in row 0; look at the encoder"),
        (torch.zeros(3, 2), torch.arange(3), "all features are zero"),
        (torch.ones(3, 2), torch.arange(4), "3 features and 4 targets"),
        (torch.ones(3), torch.arange(3), r"features are \(3,\)"),
        (torch.ones(3, 2), torch.arange(3) - 1, r"int64 \(3,\); give int64 classes"),
        (torch.ones(3, 2), torch.full((3, 1), math.inf), r"finite numbers \(N, K\)"),
    ],
)
def test_what_has_no_evidence_is_refused(features: Tensor, targets: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        evidence(features, targets)


def test_a_gaussian_is_as_stable_as_its_density_says() -> None:
    features = normal(20_000, 5)
    unshifted = -math.log(2 * math.pi) / 2 - 0.5
    assert feature_stability(features, features, 1e-9) == pytest.approx(unshifted)
    assert feature_stability(features, normal(20_000, 5, seed=1)) == pytest.approx(unshifted, abs=0.01)
    shift = torch.tensor([3.0, 0, 0, 0, 0])
    assert feature_stability(features, normal(20_000, 5, seed=1) + shift) == pytest.approx(unshifted - 9 / 5 / 2, abs=0.05)


def test_stability_is_the_density_of_whitened_features() -> None:
    features, new = normal(50, 4), normal(30, 4, seed=1) + 1
    mean, std = features.mean(0), features.std(0, correction=0)
    unit = (features - mean) / std
    covariance = 0.7 * unit.T @ unit / 50 + 0.3 * torch.eye(4, dtype=torch.float64)
    gaussian = torch.distributions.MultivariateNormal(torch.zeros(4, dtype=torch.float64), covariance)
    density = gaussian.log_prob((new - mean) / std).mean() + torch.logdet(covariance) / 2  # in whitened coordinates
    assert feature_stability(features, new, 0.3) == pytest.approx(float(density) / 4)


def test_stability_has_no_units() -> None:
    features, new, mixed = normal(200, 4), normal(100, 4, seed=1) + 0.5, normal(4, 4, seed=2)
    assert feature_stability(5 * features - 3, 5 * new - 3) == pytest.approx(feature_stability(features, new))
    assert feature_stability(features @ mixed, new @ mixed, 1e-9) == pytest.approx(feature_stability(features, new, 1e-9))
    constant = torch.cat([features, torch.ones(200, 1)], 1), torch.cat([new, torch.ones(100, 1)], 1)
    assert math.isfinite(feature_stability(*constant))


def test_stability_of_bad_features_is_refused() -> None:
    with pytest.raises(OptionError, match="shrinkage is 0; choose a number above 0 and at most 1"):
        feature_stability(normal(9, 2), normal(9, 2), 0)
    with pytest.raises(DataError, match=r"features are \(9, 2\) and new ones \(9, 3\)"):
        feature_stability(normal(9, 2), normal(9, 3))
    with pytest.raises(DataError, match="NaN or infinite value in row 1"):
        feature_stability(normal(9, 2), torch.tensor([[0.0, 0], [math.nan, 0]]))


@pytest.mark.parametrize(("n", "d", "relevant", "common"), [(200, 30, 5, 0.0), (200, 300, 8, 0.0), (500, 60, 6, 0.3)])
def test_planted_features_are_found(n: int, d: int, relevant: int, common: float) -> None:
    features = math.sqrt(1 - common) * normal(n, d) + math.sqrt(common) * normal(n, 1, seed=1)
    where = torch.randperm(d, generator=rng())[:relevant]
    targets = 4 * features[:, where] @ normal(relevant, 3, seed=2) + normal(n, 3, seed=3) + 7
    gates = feature_gates(3 * features + 1, targets)
    assert gates[where].min() > 0.99
    assert int((gates > 0.5).sum()) <= relevant + 2


def test_gates_of_orthogonal_features_are_the_exact_posterior() -> None:
    features = normal(40, 5)
    features = math.sqrt(40) * torch.linalg.qr(features - features.mean(0))[0]
    target = features @ torch.tensor([1.0, 0.4, 0.33, 0.1, 0], dtype=torch.float64) + normal(40, seed=1)
    target = target - target.mean()
    gates = feature_gates(features, target[:, None], sweeps=1000, tolerance=1e-7)
    torch.testing.assert_close(gates, exact_gates(features, target), rtol=0, atol=1e-3)
    assert 0.02 < gates.median() < 0.98  # not all is settled


def test_gates_of_targets_of_other_samples_are_refused() -> None:
    with pytest.raises(DataError, match="there are 9 features and 8 targets; give one target a sample"):
        feature_gates(normal(9, 2), normal(8, 1))


def test_nothing_is_found_in_noise() -> None:
    assert int((feature_gates(normal(300, 40), normal(300, 2, seed=1)) > 0.5).sum()) <= 1
    assert int((feature_gates(normal(300, 40), torch.ones(300, 2)) > 0.5).sum()) == 0
