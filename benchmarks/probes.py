"""Probes against their peers: our linear probe's solver and scikit-learn's, our kNN and scikit-learn's.

Both solve the same objective (C = 1) on the same standardised synthetic features down to the same largest gradient, 1e-4; each
repeat measures both, one after the other. The whole probe also chooses the penalty: with scikit-learn, by
warm starts along the same penalties on as large a part of the samples.

    uv run --group benchmarks python benchmarks/probes.py --samples 50000 --dim 512 --classes 10
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier

from genviews.metrics import knn, linear_probe
from genviews.metrics.linear import L2_PATH
from genviews.metrics.logistic import LogisticObjective, logistic_path


def features(n: int, dim: int, classes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Correlated Gaussian classes that overlap, standardised."""
    shared = torch.Generator().manual_seed(0)
    means = torch.randn(classes, dim, generator=shared)
    mixing = torch.randn(dim, dim, generator=shared) / dim**0.5 * torch.logspace(0, -1.5, dim)[:, None]
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=rng)
    x = (torch.randn(n, dim, generator=rng) + 0.15 * means[labels]) @ mixing
    return (x - x.mean(0)) / x.std(0), labels


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(name: str, peer: Callable[[], object], ours: Callable[[], object], repeats: int) -> None:
    """Prints the medians in seconds and the ratio with its range."""
    pairs = [(seconds(peer), seconds(ours)) for _ in range(repeats)]
    ratios = [p / o for p, o in pairs]
    peer_median, our_median = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"{name:32s} scikit-learn {peer_median:8.2f} s   ours {our_median:8.2f} s   "
        f"x{statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})",
        flush=True,
    )


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
    for option, default in (("samples", 50_000), ("queries", 10_000), ("dim", 512), ("classes", 10), ("repeats", 3)):
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()
    train = features(args.samples, args.dim, args.classes, seed=1)
    test = features(args.queries, args.dim, args.classes, seed=2)
    arrays = [(x.numpy(), y.numpy()) for x, y in (train, test)]
    print(f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, {torch.get_num_threads()} threads")
    print(f"{args.samples} x {args.dim}, {args.classes} classes, {args.queries} queries, {args.repeats} repeats\n")

    peer = LogisticRegression(C=1.0, tol=1e-4, max_iter=10_000)
    l2 = 1 / args.samples
    fits = []
    compare(
        "one optimum, C = 1",
        lambda: peer.fit(*arrays[0]),
        lambda: fits.append(next(logistic_path(*train, [l2], tolerance=1e-4))),
        args.repeats,
    )
    objective = LogisticObjective(*train, l2)
    found = torch.cat([torch.tensor(peer.coef_), torch.tensor(peer.intercept_)[:, None]], 1).to(train[0])
    values = [objective.at(weights, objective.scores(weights)).value for weights in (found, fits[-1])]
    print(f"{'':32s} objective    {values[0]:10.6f}   ours {values[1]:10.6f}")
    compare("the whole probe, l2 chosen", lambda: peer_probe(*arrays[0]), lambda: linear_probe(train, test), args.repeats)
    neighbours = KNeighborsClassifier(20, metric="cosine", algorithm="brute").fit(*arrays[0])
    compare("20 nearest neighbours", lambda: neighbours.score(*arrays[1]), lambda: knn(train, test, k=20), args.repeats)


if __name__ == "__main__":
    main()
