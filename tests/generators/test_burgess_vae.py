from pathlib import Path

import numpy as np
import pytest
import torch

from genviews.errors import OptionError
from genviews.generators import BurgessVAE, load

FILES = ["disvae_btcvae_mnist", "disvae_VAE_dsprites", "disvae_btcvae_dsprites", "disvae_factor_dsprites"]


@pytest.mark.parametrize("name", ["disvae_btcvae_mnist", "disvae_btcvae_dsprites"])
def test_agrees_with_the_original_code(name: str, shared: Path) -> None:
    vae = load(shared / "checkpoints" / f"{name}.pt")
    assert isinstance(vae, BurgessVAE)
    recorded = {key: torch.from_numpy(value) for key, value in np.load(shared / "fixtures" / name / "io.npz").items()}
    mean, log_variance = vae.posterior(recorded["x"])
    for ours, theirs in (
        (vae(recorded["z"]), "out_image"),
        (mean, "out_mu"),
        (log_variance, "out_logvar"),
        (vae(vae.encode(recorded["x"])), "out_recon"),
    ):
        torch.testing.assert_close(ours, recorded[theirs], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FILES)
def test_loads_the_public_files(name: str, shared: Path) -> None:
    vae = load(shared / "checkpoints" / f"{name}.pt")
    size = 32 if "mnist" in name else 64
    assert (vae.image_shape, vae.latent_dim) == ((1, size, size), 10)
    images = vae(vae.sample_latents(4, rng=torch.arange(4)))
    assert images.shape == (4, 1, size, size) and 0 <= images.min() < images.max() <= 1
    assert not vae.training and not any(p.requires_grad for p in vae.parameters())


def test_other_channels_and_latent_sizes_and_derivatives() -> None:
    vae = BurgessVAE((3, 32, 32), latent_dim=4)
    latents = vae.sample_latents(2, rng=torch.arange(2)).requires_grad_()
    images = vae(latents)
    assert vae.encode(images).shape == (2, 4)
    images.sum().backward()
    assert latents.grad is not None and latents.grad.abs().min() > 0
    _, derivative = torch.func.jvp(vae, (latents.detach(),), (torch.ones(2, 4),))
    assert derivative.shape == (2, 3, 32, 32) and derivative.abs().max() > 0


def test_sizes_it_cannot_make_are_refused() -> None:
    with pytest.raises(OptionError, match=r"\(1, 28, 28\).*32 x 32 or 64 x 64"):
        BurgessVAE((1, 28, 28))
