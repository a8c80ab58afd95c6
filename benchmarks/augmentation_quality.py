"""Whether the fused augmentation trains an encoder as well as torchvision's op by op: the same runs with `exact` off and on.

    uv run python benchmarks/augmentation_quality.py cifar10 --seeds 3 --steps 300

Takes any data set of colour images that `genviews pretrain` takes. Prints top-1 accuracies (mean ± std over seeds) of the linear
and the nearest-neighbour probe, and the paired differences.
"""

import argparse
import time
from dataclasses import replace

import torch

from genviews import data
from genviews.evaluation import probe
from genviews.training import PretrainOptions, pretrain
from genviews.views import RealViews

PROBES = ("linear", "knn-20")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()
    splits, options = data.load(args.data), PretrainOptions(steps=args.steps, augmentation="simclr")
    scores: dict[bool, list[list[float]]] = {False: [], True: []}
    for seed in range(args.seeds):
        for exact in scores:
            start = time.perf_counter()
            encoder = pretrain(RealViews(splits.train), replace(options, seed=seed, exact=exact), description=f"{exact=} {seed=}")
            results = probe(encoder, splits, PROBES)
            scores[exact].append([100 * results[name].top1 for name in PROBES])
            print(f"seed {seed} exact={exact}: {scores[exact][-1]} in {time.perf_counter() - start:.0f} s", flush=True)
    fused, exact = (torch.tensor(scores[key], dtype=torch.float64) for key in scores)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {args.steps} steps of {options.batch_size}")
    for label, values in (("fused", fused), ("exact", exact), ("fused - exact, paired", fused - exact)):
        cells = (f"{name} {column.mean():.2f} ± {column.std():.2f}" for name, column in zip(PROBES, values.T, strict=True))
        print(f"{label:<22}", "   ".join(cells))


if __name__ == "__main__":
    main()
