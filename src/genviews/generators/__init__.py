"""Generators G: latents -> images. `load` opens built-in ones, saved ones and public checkpoints; `wrap` takes any module."""

from .base import VAE, Flow, Generator, wrap
from .biggan import BigGAN
from .biggan_deep import BigGANDeep
from .burgess_vae import BurgessVAE
from .code_gpt import CodeGPT
from .dcgan import DCGAN
from .disco_vae import DiscoVAE
from .discriminators import DCGANDiscriminator, PatchDiscriminator, ProjectionDiscriminator, SNGANDiscriminator
from .families import DISCRIMINATORS, FAMILIES
from .glow import Glow
from .icgan import ICGAN
from .latent_diffusion import LatentDiffusion
from .loading import available, load, save
from .mlp_gan import MLPGAN
from .mlp_vae import MLPVAE
from .realnvp import RealNVP
from .residual_flow import ResidualFlow
from .sngan import SNGAN
from .stylegan2 import StyleGAN2
from .stylegan2_discriminator import StyleGAN2Discriminator
from .vaegan import VAEGAN
from .vqgan import VQGAN

__all__ = [
    "DCGAN",
    "DISCRIMINATORS",
    "FAMILIES",
    "ICGAN",
    "MLPGAN",
    "MLPVAE",
    "SNGAN",
    "VAE",
    "VAEGAN",
    "VQGAN",
    "BigGAN",
    "BigGANDeep",
    "BurgessVAE",
    "CodeGPT",
    "DCGANDiscriminator",
    "DiscoVAE",
    "Flow",
    "Generator",
    "Glow",
    "LatentDiffusion",
    "PatchDiscriminator",
    "ProjectionDiscriminator",
    "RealNVP",
    "ResidualFlow",
    "SNGANDiscriminator",
    "StyleGAN2",
    "StyleGAN2Discriminator",
    "available",
    "load",
    "save",
    "wrap",
]
