"""Probes against their peers: our linear probe's solver, scikit-learn's and SGD's epochs; our kNN and scikit-learn's.

Both solvers minimise the same objective (C = 1) on the same standardised synthetic features down to the same largest gradient,
1e-4; each repeat measures all, one after the other. SGD is the usual linear evaluation, over slices of the tensors and over a
DataLoader. The whole probe also chooses the penalty: with scikit-learn, by warm starts along the same penalties on as large a
part of the samples.

    uv run --group benchmarks python benchmarks/probes.py --samples 50000 --dim 512 --classes 10
"""

import argparse
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import sklearn
import torch
from side_by_side import compare
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from genviews.metrics import knn, linear_probe
from genviews.metrics.classification import Labelled
from genviews.metrics.linear import L2_PATH
from genviews.metrics.logistic import LogisticObjective, logistic_path


def features(n: int, dim: int, classes: int, seed: int) -> Labelled:
    """Correlated Gaussian classes that overlap, standardised."""
    shared = torch.Generator().manual_seed(0)
    means = torch.randn(classes, dim, generator=shared)
    mixing = torch.randn(dim, dim, generator=shared) / dim**0.5 * torch.logspace(0, -1.5, dim)[:, None]
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=rng)
    x = (torch.randn(n, dim, generator=rng) + 0.15 * means[labels]) @ mixing
    return (x - x.mean(0)) / x.std(0), labels


def by_sgd(batches: Callable[[], Iterable[Labelled]], dim: int, classes: int, epochs: int) -> nn.Linear:
    """The usual linear evaluation: momentum 0.9, a learning rate of 0.1 on a cosine."""
    model = nn.Linear(dim, classes)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for x, y in batches():
            optimiser.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimiser.step()
        schedule.step()
    return model


def accuracy(weights: Tensor, bias: Tensor, test: Labelled) -> float:
    return float((F.linear(test[0], weights, bias).argmax(1) == test[1]).float().mean())


def peer_probe(x: np.ndarray, y: np.ndarray) -> LogisticRegression:
    """Our protocol with scikit-learn: walks the penalties until the held-out loss rises, and fits again at the best."""
    held = len(x) // 10
    model = LogisticRegression(tol=1e-4, max_iter=10_000, warm_start=True)
    chosen, lowest = L2_PATH[0], float("inf")
    for l2 in L2_PATH:
        model.set_params(C=1 / ((len(x) - held) * l2)).fit(x[held:], y[held:])
        loss = log_loss(y[:held], model.predict_proba(x[:held]))
        if loss > lowest:
            break
        chosen, lowest = l2, loss
    return LogisticRegression(C=1 / (len(x) * chosen), tol=1e-4, max_iter=10_000).fit(x, y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for option, default in (
        ("samples", 50_000),
        ("queries", 10_000),
        ("dim", 512),
        ("classes", 10),
        ("epochs", 100),
        ("repeats", 3),
    ):
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()
    train = features(args.samples, args.dim, args.classes, seed=1)
    test = features(args.queries, args.dim, args.classes, seed=2)
    arrays = [(x.numpy(), y.numpy()) for x, y in (train, test)]
    print(f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, {torch.get_num_threads()} threads")
    print(f"{args.samples} x {args.dim}, {args.classes} classes, {args.queries} queries, {args.repeats} repeats\n")

    l2 = 1 / args.samples
    peer = LogisticRegression(C=1.0, tol=1e-4, max_iter=10_000)
    fitted: dict[str, Tensor] = {}

    def fit() -> None:
        fitted["genviews"] = next(logistic_path(*train, [l2], tolerance=1e-4))

    def fit_peer() -> None:
        peer.fit(*arrays[0])
        fitted["scikit-learn"] = torch.tensor(np.c_[peer.coef_, peer.intercept_]).to(train[0])

    print("one optimum, C = 1")
    compare(fit, {"scikit-learn": fit_peer}, args.repeats)
    objective = LogisticObjective(*train, l2)
    for name, weights in fitted.items():
        value = objective.at(weights, objective.scores(weights)).value
        print(f"  {name:32} objective {value:.6f}, test accuracy {accuracy(weights[:, :-1], weights[:, -1], test):.4f}")

    print(f"one optimum, C = 1, and {args.epochs} epochs of SGD")
    sgd: dict[str, nn.Linear] = {}

    def sliced() -> Iterable[Labelled]:
        return ((train[0][batch], train[1][batch]) for batch in torch.randperm(args.samples).split(256))

    loader = DataLoader(TensorDataset(*train), 256, shuffle=True)
    sources = {"SGD, sliced tensors": sliced, "SGD, DataLoader": lambda: loader}

    def train_by(name: str) -> None:
        sgd[name] = by_sgd(sources[name], args.dim, args.classes, args.epochs)

    compare(fit, {name: partial(train_by, name) for name in sources}, args.repeats)
    for name, model in sgd.items():
        print(f"  {name:32} test accuracy {accuracy(model.weight, model.bias, test):.4f}")

    print("the whole probe, l2 chosen")
    compare(lambda: linear_probe(train, test), {"scikit-learn": lambda: peer_probe(*arrays[0])}, args.repeats)
    print("20 nearest neighbours")
    neighbours = KNeighborsClassifier(20, metric="cosine", algorithm="brute").fit(*arrays[0])
    compare(lambda: knn(train, test, k=20), {"scikit-learn": lambda: neighbours.score(*arrays[1])}, args.repeats)


if __name__ == "__main__":
    main()
