"""Linear probes: how much of the classes a linear classifier finds in frozen features."""

import math
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import OptionError
from ..randomness import derive, sample_seeds
from .classification import Classification, Labelled, average, check_labelled, class_fraction, classify, few_label, held_out
from .logistic import LogisticObjective, logistic_path

L2_PATH = [10.0**-exponent for exponent in range(-1, 7)]  # strongest first


def linear_probe(
    train: Labelled,
    test: Labelled,
    *,
    protocol: Literal["lbfgs", "sgd"] = "lbfgs",
    validation: float | Labelled = 0.1,
    lr: float = 2.0,
    epochs: int = 60,
    batch_size: int = 224,
    standardise: bool | None = None,
    refit: bool = True,
    seed: int = 0,
) -> Classification:
    """Trains a linear classifier on `train` and scores it on `test`.

    "lbfgs" is multinomial logistic regression, to about a thousandth above its least loss: an L2 penalty is chosen by the loss
    on a validation part (of more than 10,000 samples so many, or a fifth if that is more, are fitted to choose it), and the
    classifier fitted again on that and the rest of train. "sgd" is the papers' recipe (GenRep, COP-Gen): momentum 0.9, no weight
    decay, the learning rate on a cosine to 0, the features as they are.

    Args:
        train: Features float32 (N, D) and labels int64 (N,).
        test: Features float32 (M, D) and labels int64 (M,).
        protocol: "lbfgs" or "sgd".
        validation: What chooses the penalty of "lbfgs": the fraction of each class of train to hold out, at least one sample of a
            class of two; or samples of its own, as train's, which join train when it is fitted, by "sgd" too.
        lr: For "sgd", the learning rate of batch 256, scaled with the batch: 2 for encoders from synthetic, 0.3 from real images.
        epochs: For "sgd".
        batch_size: For "sgd".
        standardise: Subtract train's mean and divide by its standard deviation; None does it for "lbfgs" alone.
        refit: Fit "lbfgs" again, with the penalty chosen, to the validation part as well; else to the rest of train alone.
        seed: Of the held-out part and of the order of the batches.

    Returns:
        The test accuracy; its settings have the chosen `l2` for "lbfgs", `lr` for "sgd".

    Raises:
        DataError: If features or labels cannot be probed; see `classification.check_labelled`.
        OptionError: If the protocol is unknown or validation is not in (0, 1).
    """
    check_labelled(train, test)
    (features, labels), (test_features, test_labels) = train, test
    if isinstance(validation, tuple):
        check_labelled(train, validation, "validation")
        features, labels = (torch.cat(parts) for parts in zip(train, validation, strict=True))
        held = torch.arange(len(labels), device=labels.device) >= len(train[1])
    else:
        held = held_out(labels, validation, seed)
    if protocol == "lbfgs" if standardise is None else standardise:
        mean = features.mean(0)
        features, test_features = features - mean, test_features - mean
        std = features.square().mean(0).sqrt()
        std = torch.where(std > 1e-6 * mean.abs(), std, 1.0)  # a constant feature stays constant
        features, test_features = features.div_(std), test_features.div_(std)
    classes, targets = labels.unique(return_inverse=True)
    settings: dict[str, float | str]
    if protocol == "lbfgs":
        l2 = _choose_l2(features, targets, held, seed)
        fitted = torch.ones_like(held) if refit else ~held
        weights = next(logistic_path(features[fitted], targets[fitted], [l2], tolerance=1e-3))
        settings = {"protocol": protocol, "l2": l2}
    elif protocol == "sgd":
        weights = _sgd(features, targets, lr * batch_size / 256, epochs, batch_size, seed)
        settings = {"protocol": protocol, "lr": lr}
    else:
        raise OptionError(f"protocol is {protocol!r}; use 'lbfgs' or 'sgd'")
    scores = test_features.new_full((len(test_labels), int(classes.max()) + 1), -torch.inf)
    scores[:, classes] = torch.addmm(weights[:, -1], test_features, weights[:, :-1].T)
    return classify(scores, test_labels, **settings)


def few_label_probe(
    train: Labelled, test: Labelled, per_class: int, *, draws: int = 10, seed: int = 0, **options: Any
) -> Classification:
    """The linear probe on a few labels of each class, averaged over draws of them, for one draw is noisy.

    Args:
        train: Features float32 (N, D) and labels int64 (N,), to draw from.
        test: Features float32 (M, D) and labels int64 (M,).
        per_class: Labels of each class.
        draws: How many.
        seed: Of the first draw; the others take the numbers after it.
        **options: Of `linear_probe`.

    Returns:
        Means over the draws, their `spread`, and as settings `per_class` and `draws`.

    Raises:
        DataError: If a class has fewer samples, and as `linear_probe` does.
        OptionError: If there are no draws, and as `linear_probe` does.
    """
    if draws < 1:
        raise OptionError(f"draws is {draws}; average over at least one")
    check_labelled(train, test)
    features, labels = train
    subsets = [few_label(labels, per_class, draw) for draw in range(seed, seed + draws)]
    results = [
        linear_probe((features[subset], labels[subset]), test, seed=draw, **options) for draw, subset in enumerate(subsets, seed)
    ]
    return average(results, per_class=per_class, draws=draws)


def _choose_l2(features: Tensor, labels: Tensor, held: Tensor, seed: int) -> float:
    """Walks the path until the loss on the samples held out, bool (N,), rises; the strongest penalty where there are none."""
    chosen, lowest = L2_PATH[0], math.inf
    rest = (~held).nonzero()[:, 0]
    part = rest[class_fraction(labels[rest], min(1.0, max(0.2, 10_000 / len(rest))), seed)]
    for l2, weights in zip(L2_PATH, logistic_path(features[part], labels[part], L2_PATH, tolerance=1e-2), strict=True):
        loss = float(F.cross_entropy(F.linear(features[held], weights[:, :-1], weights[:, -1]), labels[held]))
        if not loss < lowest:
            break
        chosen, lowest = l2, loss
    return chosen


def _sgd(features: Tensor, labels: Tensor, lr: float, epochs: int, batch_size: int, seed: int) -> Tensor:
    """The weights (C, D + 1) after SGD with momentum 0.9, the learning rate on a cosine, from zero."""
    weights = features.new_zeros(int(labels.max()) + 1, features.shape[1] + 1)
    velocity = torch.zeros_like(weights)
    seeds = sample_seeds(seed, torch.arange(len(labels), device=labels.device))
    batches = [batch for epoch in range(epochs) for batch in derive(seeds, epoch).argsort().split(batch_size)]
    for step, batch in enumerate(batches):
        objective = LogisticObjective(features[batch], labels[batch], l2=0.0)
        velocity = 0.9 * velocity + objective.gradient(objective.at(weights, objective.scores(weights)))
        weights = weights - lr * (1 + math.cos(math.pi * step / len(batches))) / 2 * velocity
    return weights
