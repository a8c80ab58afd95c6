"""Where to compute."""

import torch


def best() -> torch.device:
    """CUDA, if this machine has it, or the CPU (MPS lacks the float64 that per-sample normal numbers take)."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
