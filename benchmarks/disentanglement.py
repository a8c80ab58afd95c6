"""DCI and MIG against the reference's algorithms: scikit-learn's boosting, a factor after the other, and mutual information.

The peers are disentanglement_lib's loops (Locatello et al. 2019), written anew, for the library needs TensorFlow 1. Codes are a
noisy mixture of the factors. scikit-learn grows its trees on one thread and takes minutes a factor at the field's size; --stages
and --factors scale both sides down alike, for the time of either is proportional to stages and to the values of the factors.

    uv run --group benchmarks python benchmarks/disentanglement.py
    uv run --group benchmarks python benchmarks/disentanglement.py --stages 10 --factors 1
"""

import argparse

import numpy as np
import sklearn
import torch
from side_by_side import compare
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import mutual_info_score
from torch import Tensor

from genviews.metrics import mutual_information
from genviews.metrics.boosting import boost

SIZES = (10, 10, 10, 8, 4, 15)


def data(n: int, dim: int) -> tuple[Tensor, Tensor]:
    """Codes (n, dim) and factors (n, 6): each factor standardised, in a dimension of its own, and a little in all others."""
    rng = torch.Generator().manual_seed(0)
    factors = torch.stack([torch.randint(size, (n,), generator=rng) for size in SIZES], 1)
    standard = (factors - factors.double().mean(0)) / factors.double().std(0)
    weights = torch.eye(len(SIZES), dim, dtype=torch.float64) + 0.15 * torch.randn(len(SIZES), dim, generator=rng)
    return (standard @ weights + 0.2 * torch.randn(n, dim, generator=rng)).float(), factors


def peer_information(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    edges = [np.histogram(code, 20)[1][:-1] for code in codes.T]
    binned = [np.digitize(code, edge) for code, edge in zip(codes.T, edges, strict=True)]
    return np.array([[mutual_info_score(factor, code) for factor in factors.T] for code in binned])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = (("samples", 10_000), ("test", 5_000), ("dim", 32), ("factors", 6), ("stages", 100), ("repeats", 1), ("threads", 2))
    for option, default in sizes:
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    codes, factors = data(args.samples + args.test, args.dim)
    n = args.samples
    print(f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, {args.threads} threads")
    print(f"{n} + {args.test} x {args.dim}, DCI of factors of {SIZES[: args.factors]} values, {args.stages} stages\n")

    found: dict[str, np.ndarray] = {}

    def information() -> None:
        found["information, ours"] = mutual_information(codes[:n], factors[:n]).numpy()

    def information_by_peer() -> None:
        found["information, peer"] = peer_information(codes[:n].numpy(), factors[:n].numpy())

    print("mutual information of all dimensions and factors (MIG)")
    compare(information, {"scikit-learn": information_by_peer}, max(args.repeats, 5))
    print(f"  greatest difference {np.abs(found['information, ours'] - found['information, peer']).max():.2g} nats")

    def trees() -> None:
        columns = [boost(codes, factors[:n, f], args.stages)[1].numpy() for f in range(args.factors)]
        found["importance, ours"] = np.stack(columns, 1)

    def trees_by_peer() -> None:
        columns = []
        for f in range(args.factors):
            model = GradientBoostingClassifier(n_estimators=args.stages, random_state=0)
            model.fit(codes[:n].numpy(), factors[:n, f].numpy()).predict(codes.numpy())
            columns.append(model.feature_importances_)
        found["importance, peer"] = np.stack(columns, 1)

    print("boosted trees and their predictions (DCI)")
    compare(trees, {"scikit-learn": trees_by_peer}, args.repeats)
    print(f"  greatest difference of an importance {np.abs(found['importance, ours'] - found['importance, peer']).max():.3f}")


if __name__ == "__main__":
    main()
