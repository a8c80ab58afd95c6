"""The families that files are recognised as, in this order."""

from torch import nn

from .base import Generator
from .biggan import BigGAN
from .biggan_deep import BigGANDeep
from .burgess_vae import BurgessVAE
from .dcgan import DCGAN
from .disco_vae import DiscoVAE
from .discriminators import DCGANDiscriminator, ProjectionDiscriminator, SNGANDiscriminator
from .glow import Glow
from .icgan import ICGAN
from .mlp_gan import MLPGAN
from .mlp_vae import MLPVAE
from .realnvp import RealNVP
from .residual_flow import ResidualFlow
from .sngan import SNGAN
from .stylegan2 import StyleGAN2
from .stylegan2_discriminator import StyleGAN2Discriminator

FAMILIES: dict[str, type[Generator]] = {
    "stylegan2": StyleGAN2,
    "icgan": ICGAN,
    "biggan": BigGAN,
    "biggan_deep": BigGANDeep,
    "sngan": SNGAN,
    "dcgan": DCGAN,
    "mlp_gan": MLPGAN,
    "burgess_vae": BurgessVAE,
    "disco_vae": DiscoVAE,
    "mlp_vae": MLPVAE,
    "glow": Glow,
    "residual_flow": ResidualFlow,
    "realnvp": RealNVP,
}

DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "stylegan2": StyleGAN2Discriminator,
    "icgan": ProjectionDiscriminator,
    "biggan": ProjectionDiscriminator,
    "biggan_deep": ProjectionDiscriminator,
    "sngan": SNGANDiscriminator,
    "dcgan": DCGANDiscriminator,
}
"""What each of these learns against: images (B, C, H, W) in [0, 1], with their conditions if it has any -> logits (B,)."""
