"""The deep VAE of DisCo (Ren et al. 2022): the state dict of its encoder and decoder, or of the decoder alone."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints import is_state_dict
from ..errors import GenviewsError, require_positive
from .base import VAE, Parts
from .sizes import doublings, last_index

_SIDE = 4


def convolutional_encoder(channels: int, size: int, outputs: int, width: int = 64) -> nn.Sequential:
    """DisCo's encoder (Table 7): images (B, C, size, size) -> (B, outputs).

    A 7x7 convolution, 4x4 ones of stride 2 down to 4 px (width, 2 width, then 4 width channels) and three linear layers, with
    LeakyReLU between.

    Raises:
        OptionError: If the size is no power of two above 4.
    """
    require_positive(width=width, outputs=outputs)
    widths = [width * min(2**i, 4) for i in range(doublings((channels, size, size)) + 1)]
    hidden, flat = 4 * width, widths[-1] * _SIDE**2
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 7, 1, 3), nn.LeakyReLU()]
    for fine, coarse in pairwise(widths):
        layers += [nn.Conv2d(fine, coarse, 4, 2, 1), nn.LeakyReLU()]
    layers += [nn.Flatten(), nn.Linear(flat, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU()]
    layers += [nn.Linear(hidden, outputs)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    return nn.Sequential(*layers)


class DiscoVAE(VAE):
    """p(x | z) and q(z | x): a 7x7 convolution, 4x4 ones of stride 2 from or to 4 x 4, and three linear layers.

    Parameter names are DisCo's.

    Args:
        image_shape: (C, H, W), square, of 8, 16, 32, ... pixels.
        latent_dim: D.
        width: Channels of the largest feature map; smaller ones have up to four times as many.
        period: N: the decoder sees sin(2 pi z / N) and cos(2 pi z / N), so that z lives on a torus; None if it sees z itself.
        encoder: Whether there is one; a file of the decoder alone has none.
    """

    telltales = frozenset({"decoder.0.weight", "decoder.2.weight", "decoder.4.weight", "decoder.7.weight", "decoder.9.weight"})

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        latent_dim: int = 10,
        width: int = 64,
        period: float | None = 10.0,
        encoder: bool = True,
    ):
        super().__init__()
        channels = [width * min(2**i, 4) for i in range(doublings(image_shape) + 1)]
        colours, size, _ = image_shape
        self.image_shape = (colours, size, size)
        self.latent_dim = latent_dim
        self.period = period
        self.config = {
            "image_shape": self.image_shape,
            "latent_dim": latent_dim,
            "width": width,
            "period": period,
            "encoder": encoder,
        }
        hidden, flat = 4 * width, channels[-1] * _SIDE**2
        self.encoder = convolutional_encoder(colours, size, 2 * latent_dim, width) if encoder else None

        layers: list[nn.Module] = [
            nn.Linear(latent_dim if period is None else 2 * latent_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
        ]
        layers += [nn.ReLU(), nn.Linear(hidden, flat), nn.ReLU(), nn.Unflatten(1, (channels[-1], _SIDE, _SIDE))]
        for coarse, fine in pairwise(reversed(channels)):
            layers += [nn.ConvTranspose2d(coarse, fine, 4, 2, 1), nn.ReLU()]
        self.decoder = nn.Sequential(*layers, nn.ConvTranspose2d(width, colours, 7, 1, 3))
        for layer in self.decoder:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        """As `Generator.recognise`.

        No file tells the period: it is DisCo's, 10. Nor does a decoder alone tell how many latents it takes: DisCo's 10 if it has
        as many inputs, else half of them.
        """
        if not is_state_dict(content) or not cls.telltales <= content.keys():
            return None
        end = last_index(r"decoder\.(\d+)\.weight$", content)
        if content[f"decoder.{end}.weight"].shape[2:] != (7, 7):
            return None
        *convolutions, last = (content[f"decoder.{i}.weight"] for i in range(7, end + 1, 2))
        width, colours, *_ = last.shape
        size = _SIDE << len(convolutions)
        inputs = content["decoder.0.weight"].shape[1]
        latent_dim = inputs if inputs == 10 else inputs // 2
        if encodes := any(name.startswith("encoder.") for name in content):
            latent_dim = len(content[f"encoder.{end}.weight"]) // 2
        config = {
            "image_shape": (colours, size, size),
            "latent_dim": latent_dim,
            "width": width,
            "period": None if inputs == latent_dim else 10.0,
            "encoder": encodes,
        }
        return config, content

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        if self.period is not None:
            angles = 2 * math.pi * latents / self.period
            latents = torch.cat([angles.sin(), angles.cos()], dim=1)
        return self.decoder(latents).sigmoid()

    def first_weights(self) -> list[Tensor]:
        if self.period is not None:
            raise GenviewsError(f"this DiscoVAE takes sines of its latents (period {self.period}) before any weights meet them")
        return [self.decoder.get_parameter("0.weight")]

    @property
    def encodes(self) -> bool:
        return self.encoder is not None

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if self.encoder is None:
            raise GenviewsError("this DiscoVAE is a decoder without an encoder; invert images by optimisation instead")
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, log_variance
