"""The families that files are recognised as, in this order."""

from torch import nn

from .base import Generator
from .biggan import BigGAN
from .biggan_deep import BigGANDeep
from .burgess_vae import BurgessVAE
from .code_gpt import CodeGPT
from .dcgan import DCGAN
from .disco_vae import DiscoVAE
from .discriminators import DCGANDiscriminator, PatchDiscriminator, ProjectionDiscriminator, SNGANDiscriminator
from .glow import Glow
from .icgan import ICGAN
from .latent_diffusion import LatentDiffusion
from .mlp_gan import MLPGAN
from .mlp_vae import MLPVAE
from .realnvp import RealNVP
from .residual_flow import ResidualFlow
from .sngan import SNGAN
from .stylegan2 import StyleGAN2
from .stylegan2_discriminator import StyleGAN2Discriminator
from .vaegan import VAEGAN
from .vqgan import VQGAN

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
    "vaegan": VAEGAN,
    "vqgan": VQGAN,
    "code_gpt": CodeGPT,
    "latent_diffusion": LatentDiffusion,
}

DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "stylegan2": StyleGAN2Discriminator,
    "icgan": ProjectionDiscriminator,
    "biggan": ProjectionDiscriminator,
    "biggan_deep": ProjectionDiscriminator,
    "sngan": SNGANDiscriminator,
    "dcgan": DCGANDiscriminator,
    "vaegan": DCGANDiscriminator,
    "vqgan": PatchDiscriminator,
}
"""What each of these learns against: images (B, C, H, W) in [0, 1], with their conditions if it has any -> logits (B,)."""
