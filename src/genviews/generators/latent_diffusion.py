"""A diffusion prior over the latents of a VQGAN (Rombach et al. 2022), a DiT (Peebles & Xie 2023), as a generator."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import OptionError, require_positive
from .base import Generator
from .vqgan import VQGAN


class LatentDiffusion(Generator):
    """A VQGAN whose standardised latents a DiT denoises: the deterministic DDIM (Song et al. 2021) from the latent, pure noise.

    Args:
        autoencoder: The VQGAN's `config`.
        heads: Of attention (DiT-XL: 16).
        head_dim: Features a head (72).
        layers: Blocks (28).
        patch: Side of the patches that become a token (2).
        steps: Of denoising, of the 1000 it learns (250).

    Raises:
        OptionError: If the latents cannot be cut into such patches.
    """

    discrete: ClassVar = True

    def __init__(
        self,
        autoencoder: Mapping[str, Any],
        heads: int = 4,
        head_dim: int = 32,
        layers: int = 4,
        patch: int = 1,
        steps: int = 50,
    ):
        super().__init__()
        from diffusers import DDIMScheduler, DiTTransformer2DModel  # takes seconds

        require_positive(heads=heads, head_dim=head_dim, layers=layers, patch=patch, steps=steps)
        self.autoencoder = vqgan = VQGAN(**autoencoder)
        if vqgan.side % patch:
            raise OptionError(f"patch is {patch}; it must divide the {vqgan.side} places a side of the latents")
        if steps > 1000:
            raise OptionError(f"steps is {steps}; there are 1000 to choose from")
        self.image_shape, self.latent_dim = vqgan.image_shape, vqgan.latent_dim
        self.network: Any = DiTTransformer2DModel(
            heads,
            head_dim,
            vqgan.code_dim,
            num_layers=layers,
            sample_size=vqgan.side,
            patch_size=patch,
            num_embeds_ada_norm=1,
        )
        scheduler: Any = DDIMScheduler(1000, clip_sample=False, set_alpha_to_one=False, timestep_spacing="trailing")
        scheduler.set_timesteps(steps)
        self.scheduler = scheduler
        self.config = {
            "autoencoder": dict(vqgan.config),
            "heads": heads,
            "head_dim": head_dim,
            "layers": layers,
            "patch": patch,
            "steps": steps,
        }

    def noise(self, noisy: Tensor, times: Tensor) -> Tensor:
        """What the DiT takes for the noise in grids (B, code_dim, h, w) at times (B,) from 0 to 999."""
        absent = torch.ones_like(times)  # the label that stands for none
        return self.network(noisy, times, absent).sample

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        vqgan = self.autoencoder
        grids = latents.unflatten(1, (vqgan.code_dim, vqgan.side, vqgan.side))
        for time in self.scheduler.timesteps:
            times = time.to(latents.device).expand(len(latents))
            grids = self.scheduler.step(self.noise(grids, times).float(), time, grids).prev_sample
        return vqgan(grids.flatten(1))
