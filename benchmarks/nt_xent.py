"""NT-Xent, forward and backward: `losses.info_nce` against lightly's NTXentLoss, on the same embeddings.

    uv run --group peers python benchmarks/nt_xent.py

Checks first that value and gradient agree; each repeat measures both, one after the other.
"""

import argparse

import lightly
import torch
from lightly.loss import NTXentLoss
from side_by_side import compare
from torch import Tensor

from genviews.losses import info_nce


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("batch", 512), ("dim", 128), ("repeats", 15), ("threads", 2)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--temperature", type=float, default=0.1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    views = torch.randn(2, args.batch, args.dim, generator=torch.Generator().manual_seed(0)).requires_grad_()
    peer = NTXentLoss(args.temperature)

    def with_gradient(loss: Tensor) -> tuple[Tensor, Tensor]:
        return loss, torch.autograd.grad(loss, views)[0]

    def ours() -> tuple[Tensor, Tensor]:
        return with_gradient(info_nce(*views, args.temperature))

    def theirs() -> tuple[Tensor, Tensor]:
        return with_gradient(peer(*views))

    torch.testing.assert_close(ours(), theirs())
    print(f"torch {torch.__version__}, lightly {lightly.__version__}; {args.threads} threads, {args.repeats} repeats")
    print(f"NT-Xent of {args.batch} x {args.dim}, temperature {args.temperature}, forward and backward")
    compare(ours, {"lightly": theirs}, args.repeats, at_least=0.2)


if __name__ == "__main__":
    main()
