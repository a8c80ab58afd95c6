"""RealNVP (Dinh et al. 2017) on flattened pixels: an exactly invertible generator with an exact likelihood."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import OptionError, ShapeError
from ..randomness import Rng, as_seeds, uniform
from .base import Flow


class _Step(nn.Module):
    """One step of the flow: an affine map of each dimension (actnorm), then a coupling of one half of them by the other.

    Args:
        order: int64 (D,): the dimensions, the coupling's input first.
        hidden: Width of the two hidden layers.
        dropout: In the hidden layers.
        bound: Of the coupling's log-scales: they stay in [-bound, bound].
    """

    order: Tensor
    inverse_order: Tensor

    def __init__(self, order: Tensor, hidden: int, dropout: float, bound: float):
        super().__init__()
        dim = len(order)
        self.register_buffer("order", order)
        self.register_buffer("inverse_order", order.argsort())
        self.loc = nn.Parameter(torch.zeros(dim))
        self.log_scale = nn.Parameter(torch.zeros(dim))
        last = nn.Linear(hidden, 2 * (dim - dim // 2))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.net = nn.Sequential(
            nn.Linear(dim // 2, hidden),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Dropout(dropout),
            last,
        )
        self.bound = bound

    def _coupling(self, given: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.net(given).chunk(2, dim=1)
        return self.bound * torch.tanh(log_scale / self.bound), shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, D) -> y (B, D) and log |det dy/dx| (B,)."""
        x = (x * self.log_scale.exp() + self.loc)[:, self.order]
        given, moved = x.tensor_split([x.shape[1] // 2], dim=1)
        log_scale, shift = self._coupling(given)
        y = torch.cat([given, moved * log_scale.exp() + shift], dim=1)[:, self.inverse_order]
        return y, log_scale.sum(dim=1) + self.log_scale.sum()

    def inverse(self, y: Tensor) -> Tensor:
        y = y[:, self.order]
        given, moved = y.tensor_split([y.shape[1] // 2], dim=1)
        log_scale, shift = self._coupling(given)
        x = torch.cat([given, (moved - shift) * (-log_scale).exp()], dim=1)[:, self.inverse_order]
        return (x - self.loc) * (-self.log_scale).exp()


class RealNVP(Flow):
    """z = f(x), x ~ f^-1(N(0, I)): affine couplings over random halves of the pixels, each half moved in turn.

    A grey value v in [0, 1] stands for the bin ((levels - 1) v + [0, 1]) / levels of (0, 1), of which the flow sees the logit
    (Dinh et al. 2017, section 4.1); `dequantise` spreads images over their bins for training.

    Args:
        image_shape: (C, H, W); the latent has as many dimensions.
        steps: Couplings; an even number.
        hidden: Width of a coupling's two hidden layers.
        levels: Grey values: 256 for 8-bit images.
        dropout: In the couplings' hidden layers while training.
        bound: Of each coupling's log-scales.
        margin: alpha: logit(alpha + (1 - 2 alpha) p).
        seed: Of the halves.

    Raises:
        OptionError: If `steps` is odd or `levels` below 2.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        steps: int = 8,
        hidden: int = 128,
        levels: int = 256,
        dropout: float = 0.0,
        bound: float = 2.0,
        margin: float = 0.05,
        seed: int = 0,
    ):
        super().__init__()
        if steps % 2 or levels < 2:
            raise OptionError(
                f"steps is {steps} and levels {levels}; couplings come in pairs and images have 2 or more grey values"
            )
        channels, height, width = image_shape
        self.config: dict[str, Any] = {
            "image_shape": image_shape,
            "steps": steps,
            "hidden": hidden,
            "levels": levels,
            "dropout": dropout,
            "bound": bound,
            "margin": margin,
            "seed": seed,
        }
        self.image_shape = (channels, height, width)
        self.latent_dim = math.prod(image_shape)
        self.levels = levels
        self.slope = (1 - 2 * margin) * (levels - 1) / levels
        self.offset = margin + (1 - 2 * margin) / (2 * levels)
        rng = torch.Generator().manual_seed(seed)
        pairs = [torch.randperm(self.latent_dim, generator=rng) for _ in range(steps // 2)]
        orders = [order for first in pairs for order in (first, first.flip(0))]
        self.flow: Any = nn.ModuleList(_Step(order, hidden, dropout, bound) for order in orders)

    @property
    def bin_width(self) -> float:
        return 1 / (self.levels - 1)

    def dequantise(self, images: Tensor, rng: Rng = None) -> Tensor:
        """Images plus uniform noise as wide as a grey level, (B, C, H, W), so that grey values stay where they are."""
        noise = uniform(as_seeds(rng, len(images), images.device), self.latent_dim).reshape(images.shape)
        return images + (noise - 0.5) * self.bin_width

    @torch.no_grad()
    def initialise(self, images: Tensor) -> None:
        """Sets the actnorms so that each step maps these (dequantised) images (B, C, H, W) to zero mean and unit variance."""
        x, _ = self._to_logits(images)
        for step in self.flow:
            std, mean = torch.std_mean(x, dim=0)
            step.log_scale.copy_(-std.log())
            step.loc.copy_(-mean / std)
            x, _ = step(x)

    def _to_logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if images.shape[1:] != self.image_shape:
            raise ShapeError(f"this flow takes images (B, {self.image_shape}), got {tuple(images.shape)}")
        p = (self.slope * images.flatten(1) + self.offset).clamp(1e-6, 1 - 1e-6)
        return p.logit(), (math.log(self.slope) - (p * (1 - p)).log()).sum(dim=1)

    def _forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Latents (B, D) and log |det dz/dx| (B,)."""
        x, log_det = self._to_logits(images)
        for step in self.flow:
            x, change = step(x)
            log_det = log_det + change
        return x, log_det

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        for step in reversed(self.flow):
            latents = step.inverse(latents)
        return ((latents.sigmoid() - self.offset) / self.slope).unflatten(1, self.image_shape)

    def encode(self, images: Tensor) -> Tensor:
        return self._forward(images)[0]

    def log_prob(self, images: Tensor) -> Tensor:
        latents, log_det = self._forward(images)
        return log_det - 0.5 * (latents.square() + math.log(2 * math.pi)).sum(dim=1)
