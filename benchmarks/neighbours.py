"""Nearest neighbours: `metrics.knn` against lightly's knn_predict, called as its KNNClassifier does, and faiss's exact search.

    uv run --group peers python benchmarks/neighbours.py

The same unit vectors go into all three; faiss only searches, the others normalise, vote and score too. Each repeat measures each.
"""

import argparse

import faiss
import lightly
import torch
from lightly.utils.benchmarking import knn_predict
from lightly.utils.benchmarking.topk import mean_topk_accuracy
from side_by_side import compare
from torch.nn import functional as F

from genviews.metrics import knn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = (("samples", 50_000), ("queries", 10_000), ("dim", 512), ("classes", 100), ("k", 20))
    for option, default in (*sizes, ("batch", 256), ("repeats", 3), ("threads", 2)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--temperature", type=float, default=0.1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    faiss.omp_set_num_threads(args.threads)
    rng = torch.Generator().manual_seed(0)
    centres = torch.randn(args.classes, args.dim, generator=rng)
    labels = [torch.randint(args.classes, (n,), generator=rng) for n in (args.samples, args.queries)]
    keys, queries = (F.normalize(centres[own] + 4 * torch.randn(len(own), args.dim, generator=rng), dim=1) for own in labels)

    def by_genviews() -> float:
        return knn((keys, labels[0]), (queries, labels[1]), args.k, args.temperature).top1

    def by_lightly() -> float:
        bank = torch.cat([F.normalize(some, dim=1) for some in keys.split(args.batch)]).T.contiguous()
        right = 0.0
        for some, own in zip(queries.split(args.batch), labels[1].split(args.batch), strict=True):
            predicted = knn_predict(F.normalize(some, dim=1), bank, labels[0], args.classes, args.k, args.temperature)
            right += float(mean_topk_accuracy(predicted, own, k=(1, 5))[1]) * len(own)
        return right / len(queries)

    def by_faiss() -> None:
        index = faiss.IndexFlatIP(args.dim)
        index.add(keys.numpy())
        index.search(queries.numpy(), args.k)

    print(
        f"torch {torch.__version__}, lightly {lightly.__version__}, faiss {faiss.__version__}; {args.threads} threads, "
        f"{args.repeats} repeats"
    )
    print(f"{args.queries:,} queries, {args.samples:,} x {args.dim}, k = {args.k}")
    print(f"  accuracy of genviews {by_genviews():.4f}, of lightly {by_lightly():.4f}")
    compare(by_genviews, {f"lightly, batches of {args.batch}": by_lightly, "faiss, search alone": by_faiss}, args.repeats)


if __name__ == "__main__":
    main()
