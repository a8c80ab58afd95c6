"""Random numbers that belong to a sample, not to a batch.

Every sample carries a 64-bit seed, and its random numbers are a hash of that seed (SplitMix64, Steele et al. 2014). Sample i
is therefore the same whatever the batch size, the number of workers or ranks, the device, or a restart.
"""

import math

import torch
from torch import Tensor

from .errors import OptionError

Rng = torch.Generator | Tensor | None
"""Where randomness comes from: a generator to draw sample seeds from, the int64 seeds (n,) themselves, or None (global state)."""


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


_GAMMA, _MIX_1, _MIX_2 = map(_signed, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def _shift_right(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift_right(x, 30)) * _MIX_1
    x = (x ^ _shift_right(x, 27)) * _MIX_2
    return x ^ _shift_right(x, 31)


def derive(seeds: Tensor, key: int) -> Tensor:
    """Independent seeds for another purpose: int64 (n,) -> int64 (n,), one stream for each integer `key`."""
    return _mix(_mix(seeds + _GAMMA) + _signed((key + 1) * 0xD1B54A32D192ED03 % (1 << 64)))


def sample_seeds(seed: int, indices: Tensor) -> Tensor:
    """The seeds of the samples `indices` (n,) of the run `seed`."""
    return derive(_mix(indices.long() * _GAMMA), seed)


def shuffled(count: int, seed: int) -> Tensor:
    """The integers below `count` in an order of the seed's, int64 (count,)."""
    return sample_seeds(seed, torch.arange(count)).argsort()


def as_seeds(rng: Rng, n: int, device: torch.device | str | None = None) -> Tensor:
    """The seeds int64 (n,) that `rng` stands for.

    Raises:
        OptionError: If `rng` holds seeds for another number of samples, or numbers that are no seeds.
    """
    if isinstance(rng, Tensor):
        if rng.shape != (n,) or rng.dtype != torch.int64:
            raise OptionError(f"rng holds {rng.dtype} {tuple(rng.shape)} for {n} samples; pass int64 seeds ({n},)")
        return rng.to(device) if device is not None else rng
    if not isinstance(rng, torch.Generator | None):
        raise OptionError(f"rng is {rng!r}; pass a torch.Generator, or int64 seeds ({n},)")
    on = rng.device if rng is not None else "cpu"
    return torch.randint(-(1 << 63), (1 << 63) - 1, (n,), generator=rng, device=on).to(device or on)


def _bits(seeds: Tensor, count: int, bits: int) -> Tensor:
    """Integers of so many random bits, int64 (n, count): `count` for each of the seeds (n,)."""
    steps = torch.arange(1, count + 1, device=seeds.device) * _GAMMA
    return _shift_right(_mix(_mix(seeds)[:, None] + steps), 64 - bits)


def uniform(seeds: Tensor, count: int) -> Tensor:
    """Uniform numbers in [0, 1), float32 (n, count): `count` for each of the seeds (n,)."""
    return _bits(seeds, count, 24).float() / (1 << 24)


def pick(seeds: Tensor, count: int) -> Tensor:
    """One of 0 to count - 1 for each of the seeds (n,), each as likely, int64 (n,)."""
    return (uniform(seeds, 1)[:, 0] * count).long()


def normal(seeds: Tensor, count: int, truncation: float | None = None) -> Tensor:
    """Standard normal numbers, float32 (n, count), by the inverse of the distribution function.

    Args:
        seeds: int64 (n,).
        count: How many for each seed.
        truncation: Keep to [-truncation, truncation] standard deviations (as scipy's truncnorm does), or None for all.
    """
    u = (_bits(seeds, count, 52).double() + 0.5) / (1 << 52)
    if truncation is not None:
        low = 0.5 * math.erfc(truncation / math.sqrt(2))
        u = low + (1 - 2 * low) * u
    return torch.special.ndtri(u).float()


def prior(seeds: Tensor, dim: int, truncation: float | None = None) -> Tensor:
    """Latents float32 (n, dim), one for each of the seeds (n,).

    Args:
        seeds: int64 (n,).
        dim: D.
        truncation: psi: a standard normal truncated at two standard deviations, times psi (BigGAN's and COP-Gen's sampling);
            None for N(0, I).
    """
    return normal(seeds, dim) if truncation is None else truncation * normal(seeds, dim, truncation=2.0)
