"""W-search: views a second against the authors' loop.

    uv run python benchmarks/w_search.py

The loop takes a small batch of anchors at a time to PyTorch's Adam, until their mean loss is below the tolerance; the time of a
loop of a fixed number of steps follows from that of its steps. Anchors are samples of the built-in StyleGAN2 in its space w; the
encoder is pretrained on others for a few steps first. Time is the processor's, for machines that others use too.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviews import augmentations, encoders, generators
from genviews.latents import Identity, SearchOptions, expert_distances, w_search
from genviews.losses import view_search
from genviews.randomness import derive, normal, sample_seeds
from genviews.training import PretrainOptions, pretrain
from genviews.views import GeneratedViews


def loop(
    generator: nn.Module, encoder: nn.Module, latents: Tensor, seeds: Tensor, o: SearchOptions, batch: int
) -> tuple[Tensor, int]:
    """The losses (N,), and how many steps of `batch` anchors were taken."""
    losses, taken = [], 0
    for anchors, own in zip(latents.split(batch), seeds.split(batch), strict=True):
        targets = F.normalize(encoder(generator(anchors)), dim=1).detach()
        noise = [o.noise * normal(derive(own, view), latents.shape[1]) for view in range(1, o.views)]
        w = nn.Parameter(torch.stack([anchors, *(anchors + part for part in noise)], dim=1))
        optimiser = torch.optim.Adam([w], o.lr)
        for _ in range(o.steps + 1):
            views = F.normalize(encoder(generator(w.flatten(0, 1))), dim=1).unflatten(0, w.shape[:2])
            loss = view_search(views, targets, o.boundary or 0.0, o.repulsion, o.weight)
            if loss.mean() < o.tolerance:
                break
            optimiser.zero_grad()
            loss.mean().backward()
            optimiser.step()
            taken += 1
        losses.append(loss.detach())
    return torch.cat(losses), taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("anchors", 16), ("batch", 1), ("pretraining", 60), ("steps", 1000), ("threads", 1)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--lr", type=float, default=0.01, help="of ours; the loop's is 0.01")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    generator = generators.load("fashion-stylegan2").in_space("w")
    with tempfile.TemporaryDirectory() as folder:
        pairs = GeneratedViews(generator, Identity(), 2000, seed=1)
        pretrain(pairs, PretrainOptions(steps=args.pretraining, batch_size=64), Path(folder))
        encoder = encoders.embedder(folder)
    seeds = sample_seeds(0, torch.arange(args.anchors))
    latents = generator.sample_latents(args.anchors, rng=seeds)
    with torch.no_grad():
        distances = expert_distances(encoder, generator(latents), augmentations.create("mnist"), seeds)
    theirs = SearchOptions(steps=args.steps).measured(distances)
    ours = SearchOptions(steps=args.steps, lr=args.lr).measured(distances)

    views = args.anchors * theirs.views
    start = time.process_time()
    found = w_search(generator, encoder, latents, options=ours, seeds=seeds, progress=False)
    seconds = time.process_time() - start
    steps = found.steps.float().mean()
    print(f"genviews               {views / seconds:8.2f} views/s, loss {found.loss.mean():.2e}, {steps:.0f} steps an anchor")
    start = time.process_time()
    losses, taken = loop(generator, encoder, latents, seeds, theirs, args.batch)
    spent = time.process_time() - start
    fixed, each = spent / taken * args.steps * args.anchors / args.batch, taken * args.batch / args.anchors
    print(
        f"loop until converged   {views / spent:8.2f} views/s, loss {losses.mean():.2e}, {each:.0f} steps, x{spent / seconds:.2f}"
    )
    print(f"loop of {args.steps:4} steps     {views / fixed:8.2f} views/s, x{fixed / seconds:.2f} (extrapolated)")


if __name__ == "__main__":
    main()
