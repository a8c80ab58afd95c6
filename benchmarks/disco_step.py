"""One step of DisCo, loss and gradients, against the original algorithm on the same weights.

    uv run --group benchmarks python benchmarks/disco_step.py [--size 64] [--channels 256] [--batch 32] [--repeats 5] [--compiled]

StyleGAN2 of 512-d w, the encoder of Table 7, as many queries as positives, twice as many negatives, 64 orthonormal
directions. The peer is the authors' step: queries, positives and negatives are generated one after the other, base and
shifted, the frozen generator by weights of each sample's own in grouped convolutions (tests/reference/stylegan2.py); each set
of images is encoded by itself, and the negatives are detached only where they are contrasted. Both run in turn within each
repeat. The floor is the floating-point operations of our step over the rate at which this machine multiplies matrices,
measured in the same repeat. With --compiled, our step also runs with the generator under torch.compile, which is compiled before.
Threads are those of OMP_NUM_THREADS.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from side_by_side import seconds
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from genviews.encoders import Encoder
from genviews.generators.stylegan2 import StyleGAN2
from genviews.latents import Directions
from genviews.randomness import sample_seeds
from genviews.training.disco import DiscoLearner, DiscoOptions

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from reference import stylegan2 as original


def peer_step(learner: DiscoLearner, state: dict[str, Tensor], w: Tensor, index: Tensor, shift: Tensor) -> Tensor:
    """The authors' loss of the latents (B + N + K, D), moved along the directions `index` by `shift`."""
    o = learner.options

    def generate(w: Tensor) -> Tensor:
        return (original.rosinality(state, w[:, None].expand(-1, learner.generator.generator.num_styles, -1)) + 1) / 2

    def variations(w: Tensor, index: Tensor, shift: Tensor) -> Tensor:
        base, shifted = generate(w), generate(w + learner.directions(index, shift))
        return F.normalize((learner.encoder(shifted) - learner.encoder(base)).abs(), dim=1)

    sizes = [o.batch_size, o.positives, o.negatives]
    q, k, n = (variations(*part) for part in zip(w.split(sizes), index.split(sizes), shift.split(sizes), strict=True))
    logits = torch.cat([q @ k.T, q @ n.detach().T], 1)
    labels = torch.where(logits > o.flip_threshold, logits.detach(), 0)
    labels[:, : o.positives] = 1
    shares = q.softmax(1)
    return F.binary_cross_entropy_with_logits(logits, labels) - (shares * (shares + 1e-5).log()).sum(1).mean()


def multiplications(side: int = 1024) -> Callable[[], Tensor]:
    """A product of matrices that takes 2 side^3 operations."""
    first, second = torch.randn(2, side, side)
    return lambda: first @ second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("size", 64), ("channels", 256), ("batch", 32), ("repeats", 5)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--compiled", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(0)
    state = original.rosinality_state(512, 3, (args.channels,) * (args.size.bit_length() - 2))
    config, ours = StyleGAN2.recognise(state, Path("a.pt"))
    generator = StyleGAN2(**config)
    generator.load_state_dict(ours)
    options = DiscoOptions(
        batch_size=args.batch, positives=args.batch, negatives=2 * args.batch, codes=64, form="code", distribution="normal"
    )
    encoder = Encoder("disco", 3, args.size, options.codes)
    directions = Directions(512, options.count, "orthonormal", space="w")
    learner, compiled = (DiscoLearner(generator.frozen().in_space("w"), directions, encoder, options) for _ in range(2))
    learner.log_dict = compiled.log_dict = lambda *_: None
    seeds = sample_seeds(0, torch.arange(options.samples))
    latents, shift = learner.generator.sample_latents(len(seeds), rng=seeds), learner.shifts(seeds)
    drawn: list[Tensor] = []
    hook = learner.directions.register_forward_pre_hook(lambda _, inputs: drawn.append(inputs[0]))
    with FlopCounterMode(display=False) as flops:
        learner.training_step(((), seeds), 0).backward()
    hook.remove()
    index, gradients = torch.cat(drawn), []
    steps = {
        "genviews": lambda: learner.training_step(((), seeds), 0),
        "original": lambda: peer_step(learner, state, latents, index, shift),
    }
    if args.compiled:
        compiled.generator.compile()
        steps["genviews, compiled"] = lambda: compiled.training_step(((), seeds), 0)
        steps["genviews, compiled"]().backward()
    product = multiplications()

    def run(step: Callable[[], Tensor]) -> float:
        learner.zero_grad()
        start = time.perf_counter()
        loss = step()
        loss.backward()
        elapsed = time.perf_counter() - start
        gradients.append(torch.cat([loss.detach()[None], *(p.grad.flatten() for p in learner.directions.parameters())]))
        return elapsed

    print(
        f"torch {torch.__version__}; {torch.get_num_threads()} threads, {args.repeats} repeats; {args.size} px, {args.channels} "
        f"channels, {options.samples} samples, {flops.get_total_flops() / 1e12:.2f} TFLOP a step of ours"
    )
    times: dict[str, list[float]] = {name: [] for name in (*steps, "floor")}
    for _ in range(args.repeats):
        times["floor"].append(flops.get_total_flops() * seconds(product, 0.5) / (2 * 1024**3))
        for name, step in steps.items():
            times[name].append(run(step))
    difference = (gradients[0] - gradients[1]).norm() / gradients[1].norm()
    print(f"  loss and gradient of the directions differ by {difference:.0e} of their size from the original's")
    for name, own in times.items():
        ratios = [other / ours for other, ours in zip(own, times["genviews"], strict=True)]
        spread = f"[{min(ratios):.2f}-{max(ratios):.2f}]"
        print(f"  {name:18} {statistics.median(own):9.3f} s  x{statistics.median(ratios):.2f} {spread}")


if __name__ == "__main__":
    main()
