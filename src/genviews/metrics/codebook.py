"""How much of a codebook is used."""

import torch
from torch import Tensor


def codebook_perplexity(codes: Tensor, size: int) -> float:
    """exp of the entropy of how often each code is used: from 1, where all images are one code, to `size`.

    Args:
        codes: int64, of any shape, each below `size`.
        size: K, codes in the book.
    """
    shares = torch.bincount(codes.flatten(), minlength=size).double() / codes.numel()
    return float(torch.special.entr(shares).sum().exp())
