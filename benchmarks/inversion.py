"""Inversion by optimisation: many images at once, each until it is done, against one image after the other for a fixed time.

    uv run --group benchmarks python benchmarks/inversion.py [--images 32] [--steps 100] [--lr 0.01] [--repeats 3]

The peer is the authors' loop (tests/reference/inversion.py): PyTorch's Adam for a number of steps, an image at a time. Ours
descends the same loss from the same starts at its own learning rate, stops image by image, and is given the least of a few
numbers of steps, found before the clock runs, with which it ends at no larger a mean error. Both run in turn within each
repeat. Threads are those of OMP_NUM_THREADS. With --lr 0.05 the peer has our learning rate too.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from genviews import data, devices, generators
from genviews.latents.inversion import InversionOptions, invert, nearest_start

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from reference.inversion import invert_one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("images", 32), ("steps", 100), ("repeats", 3)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--lr", type=float, default=0.01, help="of the original")
    parser.add_argument("--generator", default="fashion-stylegan2")
    parser.add_argument("--data", default="fashion-mnist")
    args = parser.parse_args()
    generator = generators.load(args.generator).to(devices.best())
    generator = generator.in_space("w" if "w" in generator.spaces else "z")
    train = data.load(args.data, generator.image_shape[-1]).train
    images = train[torch.arange(args.images)][0].to(generator.device) / 255
    shared = {"batch_size": args.images}
    starts = nearest_start(generator, InversionOptions(**shared))(images)

    def peer() -> Tensor:
        pairs = zip(images.split(1), starts.split(1), strict=True)
        return torch.cat([invert_one(generator, image, start, args.steps, args.lr)[0] for image, start in pairs])

    def ours(steps: int) -> Tensor:
        return invert(generator, images, method="optimise", options=InversionOptions(steps=steps, **shared)).latents

    @torch.no_grad()
    def error(latents: Tensor) -> float:
        return float((generator(latents) - images).square().mean())

    target = error(peer())
    steps = next((n for n in (10, 15, 20, 30, 45, 70, 100, 150, 400) if error(ours(n)) <= target), 400)
    times: dict[str, list[float]] = {"genviews": [], "original": []}
    for _ in range(args.repeats):
        for name, way in (("genviews", lambda: ours(steps)), ("original", peer)):
            start = time.perf_counter()
            found = way()
            error(found)  # which waits for the device
            times[name].append(time.perf_counter() - start)
    ratios = [theirs / own for own, theirs in zip(times["genviews"], times["original"], strict=True)]
    print(
        f"torch {torch.__version__}; {generator.device}, {torch.get_num_threads()} threads, {args.repeats} repeats; "
        f"{args.generator}, {args.images} images; original: {args.steps} steps of {args.lr:g}; ours: at most {steps}"
    )
    print(f"  mean squared error: original {target:.3e}, ours {error(ours(steps)):.3e}")
    for name, seconds in times.items():
        print(f"  {name:10} {args.images / statistics.median(seconds):8.2f} images/s")
    print(f"  x{statistics.median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]")


if __name__ == "__main__":
    main()
