"""The convolutional VAE of the disentanglement field (Burgess et al. 2018), as YannDubs/disentangling-vae trains and saves it."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..checkpoints import is_state_dict
from ..errors import OptionError
from .base import VAE, Parts

_CHANNELS, _HIDDEN, _SIDE = 32, 256, 4


class _Encoder(nn.Module):
    """Images (B, C, H, W) -> the means and log-variances (B, 2 * latent_dim), interleaved."""

    def __init__(self, channels: int, size: int, latent_dim: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, _CHANNELS, 4, 2, 1)
        self.conv2 = nn.Conv2d(_CHANNELS, _CHANNELS, 4, 2, 1)
        self.conv3 = nn.Conv2d(_CHANNELS, _CHANNELS, 4, 2, 1)
        self.conv_64 = nn.Conv2d(_CHANNELS, _CHANNELS, 4, 2, 1) if size == 64 else None
        self.lin1 = nn.Linear(_CHANNELS * _SIDE**2, _HIDDEN)
        self.lin2 = nn.Linear(_HIDDEN, _HIDDEN)
        self.mu_logvar_gen = nn.Linear(_HIDDEN, 2 * latent_dim)

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for layer in filter(None, (self.conv1, self.conv2, self.conv3, self.conv_64)):
            x = layer(x).relu()
        return self.mu_logvar_gen(self.lin2(self.lin1(x.flatten(1)).relu()).relu())


class _Decoder(nn.Module):
    """Latents (B, latent_dim) -> logits of the images (B, C, H, W)."""

    def __init__(self, channels: int, size: int, latent_dim: int):
        super().__init__()
        self.lin1 = nn.Linear(latent_dim, _HIDDEN)
        self.lin2 = nn.Linear(_HIDDEN, _HIDDEN)
        self.lin3 = nn.Linear(_HIDDEN, _CHANNELS * _SIDE**2)
        self.convT_64 = nn.ConvTranspose2d(_CHANNELS, _CHANNELS, 4, 2, 1) if size == 64 else None
        self.convT1 = nn.ConvTranspose2d(_CHANNELS, _CHANNELS, 4, 2, 1)
        self.convT2 = nn.ConvTranspose2d(_CHANNELS, _CHANNELS, 4, 2, 1)
        self.convT3 = nn.ConvTranspose2d(_CHANNELS, channels, 4, 2, 1)

    def forward(self, latents: Tensor) -> Tensor:
        x = self.lin3(self.lin2(self.lin1(latents).relu()).relu()).relu().unflatten(1, (_CHANNELS, _SIDE, _SIDE))
        for layer in filter(None, (self.convT_64, self.convT1, self.convT2)):
            x = layer(x).relu()
        return self.convT3(x)


class BurgessVAE(VAE):
    """p(x | z) and q(z | x), each three (32 px) or four (64 px) 4x4 convolutions of stride 2 and two hidden layers of 256.

    Parameter names are those of disentangling-vae, so its `model.pt` files load as they are.

    Args:
        image_shape: (C, 32, 32) or (C, 64, 64).
        latent_dim: D.
    """

    telltales = frozenset({"encoder.mu_logvar_gen.weight", "decoder.lin1.weight", "decoder.convT3.weight"})

    def __init__(self, image_shape: tuple[int, int, int] = (1, 64, 64), latent_dim: int = 10):
        super().__init__()
        channels, height, width = image_shape
        if (height, width) not in ((32, 32), (64, 64)):
            raise OptionError(f"image_shape is {image_shape}; this VAE makes 32 x 32 or 64 x 64 images")
        self.image_shape = (channels, height, width)
        self.latent_dim = latent_dim
        self.config = {"image_shape": self.image_shape, "latent_dim": latent_dim}
        self.encoder = _Encoder(channels, height, latent_dim)
        self.decoder = _Decoder(channels, height, latent_dim)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")  # with less variance the posterior collapses

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        if not is_state_dict(content) or not cls.telltales <= content.keys():
            return None
        size = 64 if "decoder.convT_64.weight" in content else 32
        channels = content["decoder.convT3.weight"].shape[1]
        return {"image_shape": (channels, size, size), "latent_dim": content["decoder.lin1.weight"].shape[1]}, content

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        return self.decoder(latents).sigmoid()

    def first_weights(self) -> list[Tensor]:
        return [self.decoder.lin1.weight]

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(images).unflatten(1, (self.latent_dim, 2)).unbind(-1)
        return mean, log_variance
