"""An autoregressive prior over the codes of a VQGAN (Esser et al. 2021, section 3.2), as a generator."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import OptionError, require_positive
from .base import Generator
from .vqgan import VQGAN

Cache = dict[int, tuple[Tensor, Tensor]]
"""Block -> keys and values of the places before."""


class Block(nn.Module):
    """Causal self-attention and a two-layer network, each after a LayerNorm and beside a bypass (GPT-2's)."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm1, self.attend, self.project = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        hidden = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout))
        self.norm2, self.hidden = nn.LayerNorm(width), hidden

    def forward(self, x: Tensor, index: int, cache: Cache | None) -> Tensor:
        """(B, T, width) -> (B, T, width); with a cache, T is 1 and the places before are in it."""
        q, k, v = self.attend(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if cache is not None:
            before = cache.get(index, (k[:, :, :0], v[:, :, :0]))
            cache[index] = k, v = torch.cat([before[0], k], dim=2), torch.cat([before[1], v], dim=2)
        dropout = self.dropout if self.training else 0.0
        seen = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=cache is None)
        x = x + self.project(seen.transpose(1, 2).flatten(2))
        return x + self.hidden(self.norm2(x))


class CodeTransformer(nn.Module):
    """p(code | codes before), a GPT.

    Args:
        codes: K.
        length: T, codes an image.
        width: Of the features.
        heads: Of attention.
        layers: Blocks.
        dropout: Within them.
    """

    def __init__(self, codes: int, length: int, width: int, heads: int, layers: int, dropout: float):
        super().__init__()
        self.start = codes
        self.embedding = nn.Embedding(codes + 1, width)
        self.positions = nn.Parameter(torch.zeros(length, width))
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, codes, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, before: Tensor, cache: Cache | None = None) -> Tensor:
        """The logits (B, T, K) of the codes that follow `before` (B, T), which begins with `start`.

        With a cache, `before` is the one code (B, 1) before the next, and the cache holds those before that.
        """
        first = cache[0][0].shape[2] if cache else 0
        x = self.embedding(before) + self.positions[first : first + before.shape[1]]
        for index, block in enumerate(self.blocks):
            x = block(x, index, cache)
        return self.head(self.norm(x))

    def loss(self, tokens: Tensor) -> Tensor:
        """-log p(tokens) in nats a code, the mean over tokens (B, T)."""
        before = F.pad(tokens[:, :-1], (1, 0), value=self.start)
        return F.cross_entropy(self(before).flatten(0, 1).float(), tokens.flatten())


class CodeGPT(Generator):
    """A VQGAN whose codes a transformer draws one after the other, row by row.

    A latent is the draw: code t is where the distribution function of p(code | codes before) reaches Phi(z_t), so that
    z ~ N(0, I) are samples, and a sample is a function of its latent.

    Args:
        autoencoder: The VQGAN's `config`.
        width: Of the transformer's features (paper: 1024).
        heads: Of attention (paper: 16).
        layers: Blocks (paper: 24).
        dropout: In training.

    Attributes:
        temperature: Of the distributions that codes are drawn from.

    Raises:
        OptionError: If the width is no multiple of the heads.
    """

    discrete: ClassVar = True
    temperature: float = 1.0

    def __init__(self, autoencoder: Mapping[str, Any], width: int = 128, heads: int = 4, layers: int = 4, dropout: float = 0.1):
        super().__init__()
        require_positive(width=width, heads=heads, layers=layers)
        if width % heads:
            raise OptionError(f"width is {width}; it must be a multiple of the {heads} heads")
        self.autoencoder = VQGAN(**autoencoder)
        self.image_shape, self.latent_dim = self.autoencoder.image_shape, self.autoencoder.side**2
        self.transformer = CodeTransformer(self.autoencoder.codes, self.latent_dim, width, heads, layers, dropout)
        self.config = {
            "autoencoder": dict(self.autoencoder.config),
            "width": width,
            "heads": heads,
            "layers": layers,
            "dropout": dropout,
        }

    def tokens(self, latents: Tensor) -> Tensor:
        """The codes int64 (B, T) of latents (B, T)."""
        quantiles, cache = torch.special.ndtr(latents.double()), Cache()
        token = torch.full((len(latents), 1), self.transformer.start, device=latents.device)
        drawn = []
        for quantile in quantiles.split(1, dim=1):
            logits = self.transformer(token, cache)[:, 0].double() / max(self.temperature, 1e-6)
            reached = logits.softmax(1).cumsum(1)
            token = torch.searchsorted(reached, quantile.contiguous()).clamp(max=self.autoencoder.codes - 1)
            drawn.append(token)
        return torch.cat(drawn, dim=1)

    def truncated(self, psi: float) -> Self:
        """At the temperature psi: codes from p(code | codes before)^(1 / psi), normalised."""
        other = super().truncated(psi)
        other.truncation, other.temperature = None, psi
        return other

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        with torch.autocast(latents.device.type, enabled=False):  # rounding would draw other codes
            tokens = self.tokens(latents)
        return self.autoencoder.from_tokens(tokens)
