"""The fully connected VAE of PyTorch's examples (Kingma and Welling 2014), as they save it: a bare state dict."""

import math
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..checkpoints import is_state_dict
from .base import VAE, Parts


class MLPVAE(VAE):
    """p(x | z) and q(z | x) with one hidden layer each. Parameter names are those of the example.

    Args:
        image_shape: (C, H, W).
        latent_dim: D.
        hidden: Width of the hidden layers.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (1, 28, 28), latent_dim: int = 20, hidden: int = 400):
        super().__init__()
        channels, height, width = image_shape
        self.image_shape = (channels, height, width)
        self.latent_dim = latent_dim
        self.config = {"image_shape": self.image_shape, "latent_dim": latent_dim, "hidden": hidden}
        pixels = math.prod(self.image_shape)
        self.fc1 = nn.Linear(pixels, hidden)
        self.fc21 = nn.Linear(hidden, latent_dim)
        self.fc22 = nn.Linear(hidden, latent_dim)
        self.fc3 = nn.Linear(latent_dim, hidden)
        self.fc4 = nn.Linear(hidden, pixels)

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        """As `Generator.recognise`. The file does not tell the images' shape: they are square, grey or else coloured."""
        if not is_state_dict(content) or not {"fc21.weight", "fc22.weight", "fc3.weight"} <= content.keys():
            return None
        pixels, hidden = content["fc4.weight"].shape
        channels = 1 if math.isqrt(pixels) ** 2 == pixels else 3
        side = math.isqrt(pixels // channels)
        return {"image_shape": (channels, side, side), "latent_dim": len(content["fc21.weight"]), "hidden": hidden}, content

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        return self.fc4(self.fc3(latents).relu()).sigmoid().unflatten(1, self.image_shape)

    def first_weights(self) -> list[Tensor]:
        return [self.fc3.weight]

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.fc1(images.flatten(1)).relu()
        return self.fc21(hidden), self.fc22(hidden)
