"""The latent of DCGAN-SimCLR: the whitened representation of a SimCLR encoder."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from .. import generators
from ..data import Images, mapped
from ..errors import OptionError, require_options
from ..generators import VAEGAN
from ..views import RealViews
from .fit import fit
from .method import PretrainOptions
from .simclr import SimCLR

_LOG_VARIANCE = -20.0  # of a posterior that is all but its mean


class Representation(nn.Module):
    """The mean of a VAE/GAN's posterior, as an encoder that a method of pretraining trains."""

    def __init__(self, vaegan: VAEGAN):
        super().__init__()
        self.encoder, self.num_features = vaegan.encoder, vaegan.latent_dim

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] -> (B, D)."""
        return self.encoder(2 * images - 1)[:, : self.num_features]


def simclr_autoencoder(
    images: Images,
    recipe: PretrainOptions | None = None,
    out: Path | None = None,
    resume: bool = False,
    *,
    architecture: Mapping[str, Any] | None = None,
    **trainer: Any,
) -> VAEGAN:
    """A VAE/GAN whose encoder SimCLR trained on images, for `train_autoencoder(encoder=...)` to learn a decoder of.

    The encoder has the architecture of a VAE/GAN's, and its representation as many dimensions as the latents have. Its last layer
    then takes in the affine map that whitens the representations of these images, so that N(0, I) has the mean and the covariance
    of the aggregate posterior. All of this is this project's choice.

    Args:
        images: To learn from.
        recipe: See `PretrainOptions`; its `backbone` and `image_size` do not count.
        out: Folder for checkpoints and the result; None keeps nothing.
        resume: Go on from the last checkpoint in `out`, or return what a finished run left there.
        architecture: Further arguments of `VAEGAN`.
        **trainer: Further arguments of `fit`.
    """
    if resume and out and (out / "model.json").exists():
        found: Any = generators.load(out)
        return found
    if recipe and (recipe.method != "simclr" or recipe.assimilate):
        given = f"method is {recipe.method!r}, assimilate {recipe.assimilate!r}"
        raise OptionError(f"{given}; these latents are of SimCLR on images alone")
    recipe, views = replace(recipe or PretrainOptions(), image_size=images.image_shape[-1]), RealViews(images)
    require_options(VAEGAN, architecture or {})
    require_options(SimCLR, recipe.objective)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        vaegan = VAEGAN(images.image_shape, **(architecture or {}))
        encoder: Any = Representation(vaegan)
        method = SimCLR(encoder, views, recipe.augment(images.image_shape), recipe, **recipe.objective)
    fit(
        method,
        views,
        steps=recipe.steps,
        batch_size=recipe.batch_size,
        accumulate=recipe.accumulate,
        seed=recipe.seed,
        out=out,
        resume=resume,
        description="simclr",
        **trainer,
    )
    vaegan.frozen()
    whiten(vaegan, mapped(encoder, images, 256, vaegan.device))
    if out:
        rank_zero_only(generators.save)(vaegan, out)
    return vaegan


@torch.no_grad()
def whiten(vaegan: VAEGAN, representations: Tensor) -> None:
    """Has the encoder whiten its representations: z = L^-1 (h - mean), L L' their covariance, and no variance beside.

    Args:
        vaegan: Whose posterior's mean they are.
        representations: (N, D), N > D.
    """
    h, dim = representations.double(), vaegan.latent_dim
    covariance = h.T.cov().view(dim, dim)
    ridge = 1e-6 * covariance.diagonal().mean() * torch.eye(dim, dtype=h.dtype)
    root = torch.linalg.cholesky(covariance + ridge)
    last: Any = vaegan.encoder[-1]
    weight, bias = last.weight[:dim].double().cpu(), last.bias[:dim].double().cpu()
    last.weight[:dim] = torch.linalg.solve_triangular(root, weight, upper=False)
    last.bias[:dim] = torch.linalg.solve_triangular(root, (bias - h.mean(0))[:, None], upper=False)[:, 0]
    last.weight[dim:], last.bias[dim:] = 0, _LOG_VARIANCE
