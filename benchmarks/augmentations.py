"""SimCLR's augmentation, ours against kornia (batched) and torchvision (an image at a time), images a second.

    uv run --group benchmarks python benchmarks/augmentations.py [--repeats 7] [--threads 2]

The ways run in turn within each repeat, so that a busy machine slows all of them. A way's ratio is our default's rate over its
own in the same repeat: the median over the repeats, with the range.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import kornia
import kornia.augmentation as K
import torch
import torchvision
from torch import Tensor
from torchvision import transforms as T

from genviews import augmentations

Way = Callable[[Tensor], Tensor]


def ways(side: int) -> dict[str, Way]:
    pipeline = T.Compose(
        [
            T.RandomResizedCrop(side, scale=(0.2, 1.0), antialias=True),
            T.RandomHorizontalFlip(),
            T.RandomApply([T.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            T.RandomGrayscale(0.2),
        ]
    )
    return {
        "genviews": augmentations.create("simclr"),
        "genviews, exact": augmentations.create("simclr", exact=True),
        "kornia": K.AugmentationSequential(
            K.RandomResizedCrop((side, side), scale=(0.2, 1.0)),
            K.RandomHorizontalFlip(),
            K.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
            K.RandomGrayscale(p=0.2),
        ),
        "torchvision, image by image": lambda images: torch.stack([pipeline(image) for image in images]),
    }


def seconds(way: Way, images: Tensor, backward: bool, at_least: float = 0.2) -> float:
    """Seconds a batch, over as many batches as take `at_least` seconds."""
    images = images.detach().requires_grad_(backward)
    start, batches = time.perf_counter(), 0
    while batches == 0 or time.perf_counter() - start < at_least:
        out = way(images)
        if backward:
            torch.autograd.grad(out.sum(), images)
        batches += 1
    return (time.perf_counter() - start) / batches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, kornia {kornia.__version__}; "
        f"{options.threads} threads, {options.repeats} repeats; median [range]"
    )
    for batch, side in ((256, 32), (64, 128)):
        images = torch.rand(batch, 3, side, side)
        for backward in (False, True):
            print(f"\n3x{side}x{side}, batch {batch}, forward{' + backward' if backward else ''}")
            rates: dict[str, list[float]] = {name: [] for name in ways(side)}
            for repeat in range(options.repeats + 1):
                for name, way in ways(side).items():
                    rate = batch / seconds(way, images, backward)
                    if repeat > 0:  # the first warms up
                        rates[name].append(rate)
            for name, own in rates.items():
                ratios = [ours / other for ours, other in zip(rates["genviews"], own, strict=True)]
                print(
                    f"  {name:28} {statistics.median(own):9,.0f} images/s [{min(own):,.0f}-{max(own):,.0f}]   "
                    f"genviews x{statistics.median(ratios):.1f} [{min(ratios):.1f}-{max(ratios):.1f}]"
                )


if __name__ == "__main__":
    main()
