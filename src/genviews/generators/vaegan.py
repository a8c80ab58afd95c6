"""The VAE of VAE/GAN (Larsen et al. 2016): a DCGAN's generator, and its mirror image as the encoder."""

from torch import Tensor, nn

from .base import VAE
from .dcgan import DCGAN
from .discriminators import dcgan_init, halving
from .sizes import doublings


class VAEGAN(VAE):
    """p(x | z) is `DCGAN`'s generator from 4 x 4, q(z | x) its mirror image: 4x4 convolutions of stride 2 and a linear layer.

    At 32 px and width 128 the decoder is 4 x 4 x 512 -> 8 x 8 x 256 -> 16 x 16 x 128 -> 32 x 32.

    Args:
        image_shape: (C, H, W), square, of 8, 16, 32, ... pixels.
        latent_dim: D.
        width: Channels at half the image's size; twice as many at each smaller one, down to 4 x 4.
        decoder_width: The same of the decoder alone; None for `width`.

    Attributes:
        encoding: What makes latents of images.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        latent_dim: int = 128,
        width: int = 32,
        decoder_width: int | None = None,
    ):
        super().__init__()
        depth, decoder_width = doublings(image_shape), decoder_width or width
        self.decoder = DCGAN(image_shape, latent_dim, [decoder_width << i for i in reversed(range(depth))])
        main = self.decoder.main
        for index, layer in enumerate(main):
            if isinstance(layer, nn.ReLU):
                main[index] = nn.Sequential(layer, nn.Dropout(0.0))  # for a training that weakens it
        body, channels = halving(image_shape, width, depth, tracked=True)
        self.encoder = nn.Sequential(body, nn.Flatten(), nn.Linear(channels * 16, 2 * latent_dim))
        dcgan_init(self.encoder)
        self.image_shape, self.latent_dim = self.decoder.image_shape, latent_dim
        self.config = {
            "image_shape": self.image_shape,
            "latent_dim": latent_dim,
            "width": width,
            "decoder_width": decoder_width,
        }

    @property
    def encoding(self) -> list[nn.Module]:
        return [self.encoder]

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        return self.decoder.generate(latents, condition)

    def first_weights(self) -> list[Tensor]:
        return self.decoder.first_weights()

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(2 * images - 1).chunk(2, dim=1)
        return mean, log_variance
