"""Multinomial logistic regression to its optimum: L-BFGS preconditioned by the features' Gram matrix."""

import math
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Point:
    """Where the objective was evaluated: weights (C, D + 1), scores (C, N), its value and the probabilities (C, N)."""

    weights: Tensor
    scores: Tensor
    value: float
    probabilities: Tensor


@dataclass(frozen=True)
class LogisticObjective:
    """F(W, b) = mean_n -log softmax(W x_n + b)[y_n] + l2 / 2 ||W||^2.

    The weights are (C, D + 1), the bias their last column. The scores are linear in them, so that a line search needs one pass
    over the features however many steps it tries.

    Attributes:
        features: x, float (N, D).
        labels: y, int64 (N,) in 0..C-1.
        l2: Penalty of the mean of the losses; scikit-learn's C, of their sum, is 1 / (N l2), and 2 / (N l2) for two classes.
    """

    features: Tensor
    labels: Tensor
    l2: float

    def scores(self, weights: Tensor) -> Tensor:
        """W x + b, (C, N)."""
        return torch.addmm(weights[:, -1:], weights[:, :-1], self.features.T)

    def at(self, weights: Tensor, scores: Tensor) -> Point:
        """Evaluates F at weights whose scores are known."""
        log_probabilities = scores.log_softmax(0)
        loss = -log_probabilities.gather(0, self.labels[None]).mean(dtype=torch.float64)
        value = loss + self.l2 / 2 * weights[:, :-1].double().square().sum()
        return Point(weights, scores, float(value), log_probabilities.exp_())

    def residual(self, point: Point) -> Tensor:
        """dF / d scores = (p - onehot(y)) / N, (C, N)."""
        n = len(self.labels)
        return (point.probabilities / n).scatter_add_(0, self.labels[None], point.scores.new_full((1, n), -1 / n))

    def gradient(self, point: Point) -> Tensor:
        """dF / d weights, (C, D + 1)."""
        residual = self.residual(point)
        return torch.cat([residual @ self.features + self.l2 * point.weights[:, :-1], residual.sum(1, keepdim=True)], 1)

    def slope(self, point: Point, direction: Tensor, score_direction: Tensor) -> float:
        """The derivative of F along a direction (C, D + 1) and its scores (C, N)."""
        penalty = self.l2 * (point.weights * direction)[:, :-1].sum()
        return float((self.residual(point) * score_direction).sum() + penalty)


def logistic_path(
    features: Tensor, labels: Tensor, l2s: Iterable[float], tolerance: float = 1e-6, max_iterations: int = 1000
) -> Iterator[Tensor]:
    """Fits one L2 penalty after the other, each from the optimum before.

    Args:
        features: float (N, D), in whose precision it works; fastest when they are centred.
        labels: int64 (N,), each class of 0..C-1 at least once.
        l2s: Penalties of the mean loss, see `LogisticObjective`; strongest first is the shortest way.
        tolerance: Stops after the first step that promised to lower the objective by no more than this fraction of it.
        max_iterations: Of each penalty, at most; warns where they do not suffice.

    Yields:
        The weights (C, D + 1), the bias their last column.
    """
    n, d = features.shape
    if d > n:  # the optimum lies in the span of the samples
        basis, coordinates = torch.linalg.qr(features.T)
        for weights in logistic_path(coordinates.T.contiguous(), labels, l2s, tolerance, max_iterations):
            yield torch.cat([weights[:, :-1] @ basis.T, weights[:, -1:]], 1)
        return
    some = features[:: max(1, n // (20 * d))]  # enough of them for the Gram matrix
    spectrum, basis = torch.linalg.eigh(some.T @ some / len(some))
    classes = int(labels.max()) + 1
    weights, scores = features.new_zeros(classes, d + 1), features.new_zeros(classes, n)
    for l2 in l2s:
        objective = LogisticObjective(features, labels, l2)
        point = _minimise(objective, objective.at(weights, scores), spectrum.clamp(min=0), basis, tolerance, max_iterations)
        weights, scores = point.weights, point.scores
        yield torch.cat([weights[:, :-1], weights[:, -1:] - weights[:, -1].mean()], 1)  # softmax does not see a common shift


def _minimise(
    objective: LogisticObjective, point: Point, spectrum: Tensor, basis: Tensor, tolerance: float, max_iterations: int
) -> Point:
    """L-BFGS (Nocedal & Wright 2006, algorithms 7.4 and 7.5).

    It takes mean(p_c (1 - p_c)) X'X / N + l2 for class c's block of the Hessian, and X'X / N = basis diag(spectrum) basis'.
    """
    steps: deque[tuple[Tensor, Tensor]] = deque(maxlen=20)
    gradient = objective.gradient(point)
    for _ in range(max_iterations):
        curvature = (point.probabilities * (1 - point.probabilities)).mean(1, keepdim=True).clamp(min=1e-3)

        def precondition(g: Tensor, curvature: Tensor = curvature) -> Tensor:
            return torch.cat([(g[:, :-1] @ basis) / (curvature * spectrum + objective.l2) @ basis.T, g[:, -1:] / curvature], 1)

        direction = -_inverse_hessian_product(gradient, steps, precondition)
        slope = float((gradient * direction).sum())
        before, point = point, _line_search(objective, point, slope, direction)
        if -slope / 2 <= tolerance * point.value or point is before:  # or it is as near as this precision comes
            break
        gradient, old_gradient = objective.gradient(point), gradient
        steps.append((point.weights - before.weights, gradient - old_gradient))
    else:
        warnings.warn(
            f"logistic regression with l2={objective.l2:g} stopped after {max_iterations} iterations, short of its optimum: the "
            f"last step promised to lower it by {-slope / 2 / point.value:.1g} of itself, the tolerance is {tolerance:g}; "
            "standardise the features",
            stacklevel=2,
        )
    return point


def _inverse_hessian_product(
    gradient: Tensor, steps: Iterable[tuple[Tensor, Tensor]], precondition: Callable[[Tensor], Tensor]
) -> Tensor:
    """The two-loop recursion over (change of weights, change of gradient), oldest first."""
    pairs = [(s, y, 1 / (s * y).sum()) for s, y in steps]
    product, projections = gradient, []
    for s, y, rho in reversed(pairs):
        projections.append(rho * (s * product).sum())
        product = product - projections[-1] * y
    product = precondition(product)
    if pairs:
        _, y, rho = pairs[-1]
        product = product / (rho * (y * precondition(y)).sum())
    for (s, y, rho), projection in zip(pairs, reversed(projections), strict=True):
        product = product + (projection - rho * (y * product).sum()) * s
    return product


def _line_search(objective: LogisticObjective, start: Point, first_slope: float, direction: Tensor) -> Point:
    """From step 1, doubles or bisects until the slope is at most half of its first size and F has not risen; `start` if never."""
    score_direction = objective.scores(direction)
    low, high, step = 0.0, math.inf, 1.0
    for _ in range(30):
        point = objective.at(start.weights + step * direction, start.scores + step * score_direction)
        slope = objective.slope(point, direction, score_direction)
        risen = point.value > start.value + 1e-6 * abs(start.value)
        if not risen and abs(slope) <= abs(first_slope) / 2:
            return point
        low, high = (low, step) if risen or slope > 0 else (step, high)
        step = 2 * step if high == math.inf else (low + high) / 2
    return start
