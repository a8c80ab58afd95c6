"""StyleGAN2's synthesis against the original algorithm on the same weights, images a second.

    uv run --group benchmarks python benchmarks/stylegan2.py [--repeats 5] [--threads 2]

The peer, tests/reference/stylegan2.py, builds each sample's weights, convolves in groups and filters zero-stuffed images, as
rosinality/stylegan2-pytorch does without its CUDA kernels. The ways run in turn within each repeat, so that a busy machine
slows all of them. A way's ratio is ours over its own in the same repeat: the median over the repeats, with the range.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from genviews.generators.stylegan2 import StyleGAN2
from genviews.generators.stylegan2_layers import StyledConv, fir

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from reference import stylegan2 as original

Way = Callable[[Tensor], Tensor]

CONFIGURATIONS = {
    "DisCo's, 64 px: 256 channels, z and w of 512, 3 mapping layers": ((256,) * 5, 512, 3, 8),
    "small, 32 px: 64 channels (32 at 32 px), z and w of 64, 4 mapping layers": ((64, 64, 64, 32), 64, 4, 32),
}


def ways(channels: tuple[int, ...], latent_dim: int, depth: int) -> dict[str, Way]:
    state = original.rosinality_state(latent_dim, depth, channels)
    config, ours = StyleGAN2.recognise(state, Path("a.pt"))
    generator = StyleGAN2(**config)
    generator.load_state_dict(ours)
    generator.frozen()

    def peer(latents: Tensor) -> Tensor:
        w = original.rosinality_mapping(state, latents)
        return original.rosinality(state, w[:, None].expand(-1, 2 * len(channels), -1))

    return {"genviews": generator, "genviews, torch.compile": torch.compile(generator), "original": peer}


LAYERS = [(512, 4), (512, 8), (256, 16), (256, 32), (128, 16), (64, 16), (64, 32), (32, 32), (32, 64)]
"""Channels and side of the inputs of the layers that are compared by themselves."""


def layer_ways(channels: int, side: int, doubles: bool) -> tuple[dict[str, Way], Tensor]:
    """Ours and the original's modulated convolution, with noise, bias and activation, and what both are given."""
    kernel = fir((1, 3, 3, 1)) if doubles else None
    noise = torch.randn(side * 2, side * 2) if doubles else torch.randn(side, side)
    layer = StyledConv(channels, channels, w_dim=64, noise=noise, kernel=kernel, activation="lrelu", clamp=None)
    layer.requires_grad_(False)
    w = torch.randn(8, 64)

    def peer(x: Tensor) -> Tensor:
        out = original.modulated(x, layer.weight, layer.affine(w), kernel=kernel)
        return original.lrelu(out + layer.noise_strength * noise + layer.bias[:, None, None])

    return {"genviews": lambda x: layer(x, w, "fixed"), "original": peer}, torch.randn(8, channels, side, side)


def compare_layers(repeats: int) -> None:
    print("\none layer, batch 8: milliseconds of ours, and the original's over ours")
    for channels, side in LAYERS:
        for doubles in (False, True):
            compared, x = layer_ways(channels, side, doubles)
            torch.testing.assert_close(compared["genviews"](x), compared["original"](x), rtol=1e-3, atol=1e-3)
            line = f"  {channels:4} channels at {side:2} px{', doubled' if doubles else '':9}"
            for backward in (False, True):
                own, ratios = [], []
                for _ in range(repeats):
                    ours, theirs = (seconds(way, x, backward, 0.1) for way in compared.values())
                    own.append(1e3 * ours)
                    ratios.append(theirs / ours)
                what = "forward + backward" if backward else "forward"
                low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
                line += f"  {what} {statistics.median(own):7.2f} x{middle:.2f} [{low:.2f}-{high:.2f}]"
            print(line, flush=True)


def seconds(way: Way, latents: Tensor, backward: bool, at_least: float = 0.3) -> float:
    """Seconds a batch, over as many batches as take `at_least` seconds."""
    latents = latents.detach().requires_grad_(backward)
    start, batches = time.perf_counter(), 0
    while batches == 0 or time.perf_counter() - start < at_least:
        with torch.set_grad_enabled(backward):
            images = way(latents)
            if backward:
                torch.autograd.grad(images.sum(), latents)
        batches += 1
    return (time.perf_counter() - start) / batches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layers", action="store_true", help="compare single layers alone")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}; {options.threads} threads, {options.repeats} repeats; median [range]")
    compare_layers(options.repeats)
    if options.layers:
        return
    for name, (channels, latent_dim, depth, batch) in CONFIGURATIONS.items():
        compared = ways(channels, latent_dim, depth)
        latents = torch.randn(batch, latent_dim)
        expected = compared["original"](latents)
        difference = (2 * compared["genviews"](latents) - 1 - expected).abs().max() / expected.std()
        print(f"\n{name}, batch {batch}; images differ by at most {difference:.1e} standard deviations")
        for backward in (False, True):
            print(f"  {'forward + backward to z' if backward else 'sampling'}")
            rates: dict[str, list[float]] = {way: [] for way in compared}
            for repeat in range(options.repeats + 1):
                for way, call in compared.items():
                    rate = batch / seconds(call, latents, backward)
                    if repeat > 0:  # the first warms up and compiles
                        rates[way].append(rate)
            for way, own in rates.items():
                ratios = [ours / other for ours, other in zip(rates["genviews"], own, strict=True)]
                print(
                    f"    {way:24} {statistics.median(own):8.1f} images/s [{min(own):.1f}-{max(own):.1f}]   "
                    f"genviews x{statistics.median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]",
                    flush=True,
                )


if __name__ == "__main__":
    main()
