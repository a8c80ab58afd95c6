"""Probes against their peers: our linear probe, its solver, scikit-learn's and SGD's epochs; our kNN and scikit-learn's.

The features are synthetic, as those of an encoder: Gaussian classes whose variance, between them as within, falls along a random
rotation. The whole probe chooses the penalty: with scikit-learn by warm starts along the same penalties on as large a held-out
part. SGD is the usual linear evaluation of standardised features, over slices of the tensors and over a DataLoader, whose time
is that of --loader-epochs scaled to --epochs. Each repeat measures all, one after the other.

    uv run --group benchmarks python benchmarks/probes.py --samples 50000 --dim 512 --classes 100
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
    """Classes in a random rotation: along its axis k, their means' variance falls as 1 / k, that around them as 1 / sqrt(k)."""
    shared = torch.Generator().manual_seed(0)
    spectrum = torch.arange(1, dim + 1) ** -0.5
    means = 0.52 * torch.randn(classes, dim, generator=shared) * spectrum
    rotation = torch.linalg.qr(torch.randn(dim, dim, generator=shared)).Q
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=rng)
    return (means[labels] + torch.randn(n, dim, generator=rng) * spectrum.sqrt()) @ rotation, labels


def by_sgd(batches: Callable[[], Iterable[Labelled]], dim: int, classes: int, epochs: int, lr: float) -> nn.Linear:
    """The usual linear evaluation: momentum 0.9, the learning rate on a cosine."""
    model = nn.Linear(dim, classes)
    optimiser = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = (("samples", 50_000), ("queries", 10_000), ("dim", 512), ("classes", 100))
    for option, default in (*sizes, ("epochs", 100), ("loader-epochs", 5), ("repeats", 3), ("threads", 1)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument(
        "--lr", type=float, default=0.003, help="of SGD; the best of 0.001, 0.003, 0.01, 0.03 and 0.1 at the default sizes"
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    train, test = (features(n, args.dim, args.classes, seed) for seed, n in enumerate((args.samples, args.queries), 1))
    std, mean = torch.std_mean(train[0], 0)
    scaled, scaled_test = ((x - mean) / std for x, _ in (train, test))
    arrays = [(x.numpy(), y.numpy()) for x, y in ((scaled, train[1]), (scaled_test, test[1]))]
    print(f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, {args.threads} threads")
    print(f"{args.samples} x {args.dim}, {args.classes} classes, {args.queries} queries, {args.repeats} repeats\n")
    accuracies: dict[str, float] = {}

    def probe() -> None:
        accuracies["genviews"] = linear_probe(train, test).top1

    def probe_by_peer() -> None:
        accuracies["scikit-learn"] = peer_probe(*arrays[0]).score(*arrays[1])

    def train_by(name: str, batches: Callable[[], Iterable[Labelled]], epochs: int) -> None:
        model = by_sgd(batches, args.dim, args.classes, epochs, args.lr)
        accuracies[name] = accuracy(model.weight, model.bias, (scaled_test, test[1]))

    def sliced() -> Iterable[Labelled]:
        return ((scaled[batch], train[1][batch]) for batch in torch.randperm(args.samples).split(256))

    loader = DataLoader(TensorDataset(scaled, train[1]), 256, shuffle=True)
    slices, loaded = "SGD, sliced tensors", f"SGD, DataLoader, {args.loader_epochs} epochs"
    print(f"the whole probe, the penalty chosen, and {args.epochs} epochs of SGD, learning rate {args.lr:g}")
    print(f"  (that of the DataLoader takes {args.epochs / args.loader_epochs:g} times as long as the epochs measured here)")
    train_by(slices, sliced, 1)  # torch imports much at its first step
    peers: dict[str, Callable[[], object]] = {
        slices: partial(train_by, slices, sliced, args.epochs),
        loaded: partial(train_by, loaded, lambda: loader, args.loader_epochs),
        "scikit-learn": probe_by_peer,
    }
    compare(probe, peers, args.repeats)
    for name, top1 in accuracies.items():
        print(f"  {name:32} test accuracy {top1:.4f}")

    l2 = 1 / args.samples
    peer = LogisticRegression(C=1.0, tol=1e-4, max_iter=10_000)
    fitted: dict[str, Tensor] = {}

    def fit() -> None:
        fitted["genviews"] = next(logistic_path(scaled, train[1], [l2], tolerance=1e-4))

    def fit_peer() -> None:
        peer.fit(*arrays[0])
        fitted["scikit-learn"] = torch.tensor(np.c_[peer.coef_, peer.intercept_]).to(scaled)

    print("one optimum, C = 1")
    compare(fit, {"scikit-learn": fit_peer}, args.repeats)
    objective = LogisticObjective(scaled, train[1], l2)
    for name, weights in fitted.items():
        value = objective.at(weights, objective.scores(weights)).value
        print(f"  {name:32} objective {value:.6f}")

    print("20 nearest neighbours")
    neighbours = KNeighborsClassifier(20, metric="cosine", algorithm="brute").fit(*arrays[0])
    compare(
        lambda: knn((scaled, train[1]), (scaled_test, test[1]), k=20),
        {"scikit-learn": lambda: neighbours.score(*arrays[1])},
        args.repeats,
    )


if __name__ == "__main__":
    main()
