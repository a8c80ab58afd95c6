"""Sampling from a BigGAN-deep, ours against the original's way of computing, images a second.

    uv run --group benchmarks python benchmarks/biggan_deep.py [--repeats 7] [--threads 2] [--width 32] [--compiled]

The original divides every weight by u^T W v and interpolates the statistics whenever it renders, normalises in separate steps and
throws away all but three channels at the end; ours takes the division into the weights once, as they are read. Both hold the
same weights of the 128-pixel architecture, its channels scaled by `--width` (128 in the published one). The ways run in turn
within each repeat, so that a busy machine slows all of them. A way's ratio is the eager rate of ours over its own in the same
repeat: the median over the repeats, with the range.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import MethodType

import torch
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

from genviews.generators.biggan_deep import BigGANDeep, _at, _Norm

Way = Callable[[Tensor, Tensor], Tensor]

WIDTHS = (16, 16, 16, 16, 8, 8, 4, 4, 2, 2, 1)
TRUNCATION = 0.43  # between two rows of statistics, as 0.42 and 0.44 have one


class Colours(nn.Conv2d):
    """The last convolution, of whose channels three are kept."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :3]


def normalise(norm: _Norm, x: Tensor, truncation: float, condition: Tensor | None = None) -> Tensor:
    mean, variance = (_at(truncation, table)[None, :, None, None] for table in (norm.running_means, norm.running_vars))
    if condition is None:
        gain, offset = norm.weight, norm.bias
        return (x - mean) / (variance + norm.eps).sqrt() * gain[:, None, None] + offset[:, None, None]
    gain, offset = 1 + norm.scale(condition)[..., None, None], norm.offset(condition)[..., None, None]
    return (x - mean) / (variance + norm.eps).sqrt() * gain + offset


def original(width: int) -> BigGANDeep:
    """The original's computation, with random weights and statistics."""
    torch.manual_seed(0)
    channels = [width * factor for factor in WIDTHS]
    generator = BigGANDeep(channels, (False, True) * 5, attention=8, num_classes=1000, num_statistics=51)
    generator.conv_to_rgb = Colours(width, width, 3, padding=1)
    for module in list(generator.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            spectral_norm(module)
        if isinstance(module, _Norm):
            module.running_means.normal_(std=0.1)
            module.running_vars.uniform_(0.5, 2)
            module.forward = MethodType(normalise, module)
    for _ in range(3):  # each is a step of the power iterations
        generator(generator.sample_latents(1), torch.zeros(1, dtype=torch.int64))
    return generator.frozen().truncated(TRUNCATION)


def ours(theirs: BigGANDeep) -> BigGANDeep:
    """As it is loaded from the original's file."""
    state = theirs.state_dict()
    content = {f"generator.{name}": tensor for name, tensor in state.items() if name != "embeddings.weight"}
    parts = BigGANDeep.recognise(content | {"embeddings.weight": state["embeddings.weight"].t()}, Path("pytorch_model.bin"))
    assert parts is not None
    generator = BigGANDeep(**parts[0])
    generator.load_state_dict(parts[1])
    return generator.frozen().truncated(TRUNCATION)


def seconds(way: Way, latents: Tensor, classes: Tensor, at_least: float = 1.0) -> float:
    """Seconds a batch, over as many batches as take `at_least` seconds."""
    start, batches = time.perf_counter(), 0
    while batches == 0 or time.perf_counter() - start < at_least:
        way(latents, classes)
        if latents.is_cuda:
            torch.cuda.synchronize()
        batches += 1
    return (time.perf_counter() - start) / batches


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compiled", action="store_true", help="also under torch.compile, whose compilation takes minutes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.device}; {options.threads} threads, {options.repeats} repeats; median [range]")
    theirs = original(options.width)
    eager = {"genviews": ours(theirs), "original": theirs}
    for generator in eager.values():
        generator.to(options.device)
    for batch in options.batches:
        latents = theirs.sample_latents(batch, rng=torch.arange(batch, device=options.device))
        classes = torch.arange(batch, device=options.device)
        images = {name: generator(latents, classes) for name, generator in eager.items()}
        torch.testing.assert_close(images["genviews"], images["original"], rtol=1e-3, atol=1e-4)
        ways: dict[str, Way] = dict(eager)
        if options.compiled:
            ways |= {f"{name}, compiled": torch.compile(generator) for name, generator in eager.items()}
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for way in ways.values():
            way(latents, classes)
        for _ in range(options.repeats):
            for name, way in ways.items():
                rates[name].append(batch / seconds(way, latents, classes))
        print(f"\n128 px, width {options.width}, batch {batch}")
        for name, own in rates.items():
            ratios = [ours / other for ours, other in zip(rates["genviews"], own, strict=True)]
            print(
                f"  {name:22} {statistics.median(own):9,.2f} images/s [{min(own):,.2f}-{max(own):,.2f}]   "
                f"genviews x{statistics.median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"
            )


if __name__ == "__main__":
    main()
