"""Sampling from Glow, ours against the algorithm of the original code on the same weights, images a second.

    uv run --group benchmarks python benchmarks/glow.py [--repeats 5] [--threads 2] [--device cpu] [--compiled]

The original undoes each step's 1x1 convolution by an inverse of its own, then the actnorm, and pads hidden layers by ones. The
ways run in turn within each repeat, so that a busy machine slows all of them. A way's ratio is our eager rate over its own in
the same repeat: the median over the repeats, with the range.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from genviews.generators.glow import Glow

Way = Callable[[Tensor], Tensor]

SETTINGS: tuple[tuple[dict[str, Any], int], ...] = (
    ({"image_shape": (3, 32, 32), "blocks": 3, "steps": 8, "width": 64, "affine": True}, 32),
    ({"image_shape": (3, 64, 64), "blocks": 4, "steps": 32, "width": 512, "affine": True}, 2),
)


def zero_conv(layer: Any, x: Tensor) -> Tensor:
    x = F.conv2d(F.pad(x, [1, 1, 1, 1], value=1), layer.conv.weight, layer.conv.bias)
    return x * torch.exp(layer.scale * 3)


def undo_coupling(coupling: Any, y: Tensor) -> Tensor:
    given, moved = y.chunk(2, 1)
    first, _, second, _, last = coupling.net
    hidden = F.relu_(second(F.relu_(first(given))))
    logit, shift = zero_conv(last, hidden).chunk(2, 1)
    return torch.cat([given, moved / torch.sigmoid(logit + 2) - shift], 1)


def undo_convolution(conv: Any, y: Tensor) -> Tensor:
    lower = conv.w_l.tril(-1) + torch.eye(len(conv.w_l), device=y.device)
    weight = conv.w_p @ lower @ (conv.w_u.triu(1) + torch.diag(conv.s_sign * torch.exp(conv.w_s)))
    return F.conv2d(y, weight.inverse()[:, :, None, None])


def original(flow: Glow, latents: Tensor) -> Tensor:
    parts = latents.split([torch.Size(shape).numel() for shape in flow.latent_shapes], 1)
    x: Any = None
    for block, part, shape in reversed(list(zip(flow.blocks, parts, flow.latent_shapes, strict=True))):
        z = part.reshape(-1, *shape)
        mean, log_std = zero_conv(block.prior, torch.zeros_like(z) if x is None else x).chunk(2, 1)
        z = mean + torch.exp(log_std) * z
        x = z if x is None else torch.cat([x, z], 1)
        for step in reversed(block.flows):
            x = undo_convolution(step.invconv, undo_coupling(step.coupling, x))
            x = x / step.actnorm.scale - step.actnorm.loc
        b, c, h, w = x.shape
        x = x.view(b, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(b, c // 4, 2 * h, 2 * w)
    return x + 0.5


def seconds(way: Way, latents: Tensor, at_least: float = 0.5) -> float:
    """Seconds a batch, over as many batches as take `at_least` seconds."""
    start, batches = time.perf_counter(), 0
    while batches == 0 or time.perf_counter() - start < at_least:
        way(latents)
        if latents.is_cuda:
            torch.cuda.synchronize()
        batches += 1
    return (time.perf_counter() - start) / batches


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compiled", action="store_true", help="the smaller also under torch.compile, which takes minutes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}; {options.device}, {options.threads} threads, {options.repeats} repeats; median [range]")
    for setting, batch in SETTINGS:
        flow = Glow(**setting).frozen().to(options.device)
        latents = flow.sample_latents(batch, truncation=0.7)
        contiguous = copy.deepcopy(flow).to(memory_format=torch.contiguous_format)
        ways: dict[str, Way] = {
            "genviews": flow,
            "original": partial(original, contiguous),
            "original, channels last": partial(original, flow),
        }
        if options.compiled and setting["steps"] < 32:
            ways |= {"genviews, compiled": torch.compile(flow), "original, compiled": torch.compile(ways["original"])}
        images = flow(latents)
        print(f"\n{setting}, batch {batch}")
        for name, way in ways.items():  # which also warms up
            start = time.perf_counter()
            torch.testing.assert_close(way(latents), images, rtol=1e-3, atol=1e-3)
            print(f"  {name:24} first call {time.perf_counter() - start:.1f} s")
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.repeats):
            for name, way in ways.items():
                rates[name].append(batch / seconds(way, latents))
        for name, own in rates.items():
            ratios = [ours / other for ours, other in zip(rates["genviews"], own, strict=True)]
            print(
                f"  {name:24} {statistics.median(own):9,.1f} images/s [{min(own):,.1f}-{max(own):,.1f}]   "
                f"genviews x{statistics.median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"
            )


if __name__ == "__main__":
    main()
