import warnings

import pytest
import torch
from reference.probes import logistic_loss
from sklearn.linear_model import LogisticRegression

from genviews.metrics.logistic import LogisticObjective, logistic_path


def problem(n: int, d: int, classes: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(n + d + classes)
    labels = torch.arange(n) % classes
    features = torch.randn(n, d, generator=rng) * torch.logspace(0, -2, d) + torch.randn(classes, d, generator=rng)[labels] / 10
    return (features - features.mean(0)).to(dtype), labels


def test_objective_and_gradient_are_those_of_autograd() -> None:
    features, labels = problem(40, 6, 4)
    weights = torch.randn(4, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    expected = logistic_loss(weights, features, labels, l2=0.3)
    (expected_gradient,) = torch.autograd.grad(expected, weights)
    objective = LogisticObjective(features, labels, l2=0.3)
    point = objective.at(weights.detach(), objective.scores(weights.detach()))
    assert point.value == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(objective.gradient(point), expected_gradient, rtol=1e-10, atol=1e-12)
    direction = torch.ones_like(expected_gradient)
    assert objective.slope(point, direction, objective.scores(direction)) == pytest.approx(
        expected_gradient.sum().item(), rel=1e-9
    )


@pytest.mark.parametrize(("n", "d", "classes"), [(300, 20, 5), (30, 50, 3), (12, 12, 2)])
@pytest.mark.parametrize("l2", [1.0, 1e-3])
def test_optimum_is_scikit_learns(n: int, d: int, classes: int, l2: float) -> None:
    features, labels = problem(n, d, classes)
    (weights,) = logistic_path(features, labels, [l2], tolerance=1e-15)
    peer = LogisticRegression(C=(2 if classes == 2 else 1) / (n * l2), tol=1e-10, max_iter=10_000).fit(features, labels)
    expected = torch.tensor(peer.coef_), torch.tensor(peer.intercept_)
    if classes == 2:  # it fits one row of weights, the difference of ours
        weights = weights[1:] - weights[:1]
    torch.testing.assert_close(weights[:, :-1], expected[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(weights[:, -1], expected[1] - (expected[1].mean() if classes > 2 else 0), rtol=1e-4, atol=1e-4)


def test_float32_at_the_default_tolerance_gives_scikit_learns_probabilities() -> None:
    features, labels = problem(500, 16, 10, torch.float32)
    l2 = 1 / len(features)
    (weights,) = logistic_path(features, labels, [l2])
    peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(features.double(), labels)
    ours = torch.addmm(weights[:, -1], features, weights[:, :-1].T).softmax(1).double()
    torch.testing.assert_close(ours, torch.tensor(peer.predict_proba(features.double())), rtol=0, atol=1e-3)


def test_each_penalty_of_a_path_is_optimal() -> None:
    features, labels = problem(200, 10, 4)
    l2s = [10.0, 1e-1, 1e-3]
    for l2, weights in zip(l2s, logistic_path(features, labels, l2s, tolerance=1e-13), strict=True):
        at = weights.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(logistic_loss(at, features, labels, l2), at)
        assert gradient.abs().max() < 1e-6


def test_shifting_and_rotating_the_features_leaves_the_probabilities() -> None:
    features, labels = problem(100, 5, 3)
    rotation = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))).Q
    moved = (features + 3) @ rotation
    (weights,) = logistic_path(features, labels, [0.01], tolerance=1e-15)
    (moved_weights,) = logistic_path(moved, labels, [0.01], tolerance=1e-15)
    scores = torch.addmm(weights[:, -1], features, weights[:, :-1].T)
    moved_scores = torch.addmm(moved_weights[:, -1], moved, moved_weights[:, :-1].T)
    torch.testing.assert_close(scores.softmax(1), moved_scores.softmax(1), rtol=0, atol=1e-5)


def test_the_preconditioner_saves_iterations_on_ill_conditioned_features() -> None:
    features, labels = problem(400, 30, 5)
    features = features * torch.logspace(0, 3, 30)
    (weights,) = logistic_path(features, labels, [1e-6], tolerance=1e-3, max_iterations=60)
    objective = LogisticObjective(features, labels, 1e-6)
    assert objective.gradient(objective.at(weights, objective.scores(weights))).abs().max() <= 1e-5


def test_stopping_short_of_the_optimum_is_told() -> None:
    features, labels = problem(200, 10, 4)
    with pytest.warns(UserWarning, match=r"l2=0\.001 stopped after 2 iterations.* promised to lower it by 0\.\d+ of itself"):
        list(logistic_path(features, labels, [1e-3], max_iterations=2))
    with warnings.catch_warnings(action="error"):
        list(logistic_path(features, labels, [1e-3]))
