"""VQGAN (Esser et al. 2021): images as grids of codes of a learned codebook, on diffusers' VQModel."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import OptionError, ShapeError, require_positive
from .base import Generator

_GROUPS = 8


class VQGAN(Generator):
    """Encodes images to a grid of codes and decodes it.

    A latent is what the encoder makes of an image before it is quantised, each channel standardised by `mean` and `std`, which
    `standardise` measures: that prior N(0, I) has the right moments and knows nothing of how places hang together, so that
    samples worth the name take a prior of their own (`CodeGPT`, `LatentDiffusion`). `generate` quantises it; gradients pass
    straight through.

    Args:
        image_shape: (C, H, W), square.
        width: Channels of the largest feature map, a multiple of 8 (paper: 128).
        multipliers: Channels at each size, in widths; each size but the first is half the last (paper: 1, 1, 2, 2, 4).
        codes: K, of the codebook (paper: 1024).
        code_dim: Of each code (paper: 256).
        blocks: Residual blocks a size of the encoder, one less than of the decoder (paper: 2).
        attention: Whether there is self-attention at the smallest size.
        decoder_width: `width` of the decoder alone; None for `width`.

    Raises:
        OptionError: If the image cannot be halved so often, or a width is no multiple of 8.
    """

    discrete: ClassVar = True
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        width: int = 32,
        multipliers: Sequence[int] = (1, 2, 2),
        codes: int = 256,
        code_dim: int = 32,
        blocks: int = 1,
        attention: bool = True,
        decoder_width: int | None = None,
    ):
        super().__init__()
        from diffusers import VQModel  # takes seconds

        channels, side, _ = image_shape
        decoder_width = decoder_width or width
        require_positive(codes=codes, code_dim=code_dim, blocks=blocks)
        if min(width, decoder_width) < 1 or width % _GROUPS or decoder_width % _GROUPS:
            raise OptionError(f"width is {width}, decoder_width {decoder_width}; each must be a multiple of {_GROUPS}")
        if image_shape[1] != image_shape[2] or side % (1 << (len(multipliers) - 1)):
            raise OptionError(
                f"image_shape is {tuple(image_shape)}; with {len(multipliers)} multipliers images are square, and a multiple of "
                f"{1 << (len(multipliers) - 1)} pixels wide"
            )

        def model(width: int) -> Any:
            return VQModel(
                channels,
                channels,
                ("DownEncoderBlock2D",) * len(multipliers),
                ("UpDecoderBlock2D",) * len(multipliers),
                tuple(width * times for times in multipliers),
                blocks,
                latent_channels=code_dim,
                num_vq_embeddings=codes,
                norm_num_groups=_GROUPS,
                mid_block_add_attention=attention,
            )

        self.model = model(width)
        if decoder_width != width:
            self.model.decoder = model(decoder_width).decoder
        self.side = side >> (len(multipliers) - 1)
        self.image_shape, self.latent_dim = (channels, side, side), code_dim * self.side**2
        self.codes, self.code_dim = codes, code_dim
        self.register_buffer("mean", torch.zeros(code_dim, 1, 1))
        self.register_buffer("std", torch.ones(code_dim, 1, 1))
        self.config = {
            "image_shape": self.image_shape,
            "width": width,
            "multipliers": list(multipliers),
            "codes": codes,
            "code_dim": code_dim,
            "blocks": blocks,
            "attention": attention,
            "decoder_width": decoder_width,
        }

    @property
    def encoding(self) -> list[nn.Module]:
        """What makes codes of images."""
        return [self.model.encoder, self.model.quant_conv, self.model.quantize]

    @property
    def decoder(self) -> nn.Module:
        return self.model.decoder

    def continuous(self, images: Tensor) -> Tensor:
        """The grids (B, code_dim, h, w) of images (B, C, H, W) in [0, 1], before they are quantised."""
        return self.model.encode(2 * images - 1).latents

    def quantised(self, grids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The nearest codes of each place of grids (B, code_dim, h, w).

        Returns:
            The grids of these codes, whose gradients pass straight to `grids`; the codebook loss
            E|sg(e) - z|^2 + .25 E|e - sg(z)|^2 (Esser et al. 2021, eq. 4, weighted as in the authors' code); the codes int64
            (B, h w).
        """
        codebook = self.model.quantize.embedding
        z = grids.to(codebook.weight.dtype).permute(0, 2, 3, 1)
        with torch.autocast(grids.device.type, enabled=False):
            distances = codebook.weight.square().sum(1) - 2 * z @ codebook.weight.T
        codes = distances.argmin(-1)
        nearest = codebook(codes)
        loss = (nearest.detach() - z).square().mean() + 0.25 * (nearest - z.detach()).square().mean()
        return (z + (nearest - z).detach()).permute(0, 3, 1, 2), loss, codes.flatten(1)

    def decoded(self, quantised: Tensor) -> Tensor:
        """Images (B, C, H, W) of quantised grids (B, code_dim, h, w)."""
        return (self.model.decode(quantised, force_not_quantize=True).sample + 1) / 2

    def tokens(self, images: Tensor) -> Tensor:
        """The codes int64 (B, h w), row by row, of images (B, C, H, W) in [0, 1]."""
        return self.quantised(self.continuous(images))[2]

    def from_tokens(self, tokens: Tensor) -> Tensor:
        """Images (B, C, H, W) of codes int64 (B, h w).

        Raises:
            ShapeError: If there are not h w codes an image.
        """
        if tokens.shape[1:] != (self.side**2,):
            raise ShapeError(f"codes are {tuple(tokens.shape)}; this VQGAN takes (B, {self.side**2})")
        grids = self.model.quantize.embedding(tokens).unflatten(1, (self.side, self.side))
        return self.decoded(grids.permute(0, 3, 1, 2))

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        grids = latents.unflatten(1, (self.code_dim, self.side, self.side)) * self.std + self.mean
        return self.decoded(self.quantised(grids)[0])

    def encode(self, images: Tensor) -> Tensor:
        """The latents (B, D) of images (B, C, H, W) in [0, 1], not quantised."""
        return ((self.continuous(images) - self.mean) / self.std).flatten(1)

    @torch.no_grad()
    def initialise(self, grids: Tensor) -> None:
        """Makes codes of places of grids (B, code_dim, h, w), for a random codebook collapses to a few of its codes."""
        places = grids.permute(0, 2, 3, 1).flatten(0, 2)
        self.model.quantize.embedding.weight.copy_(places[torch.randint(len(places), (self.codes,), device=places.device)])

    @torch.no_grad()
    def standardise(self, grids: Tensor) -> None:
        """Measures `mean` and `std` by grids (B, code_dim, h, w)."""
        std, mean = torch.std_mean(grids, dim=(0, 2, 3))
        self.mean.copy_(mean.view(-1, 1, 1))
        self.std.copy_(std.clamp(min=1e-6).view(-1, 1, 1))
