"""Where to compute."""

import torch


def best() -> torch.device:
    """The accelerator, if this machine has one, or the CPU."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
