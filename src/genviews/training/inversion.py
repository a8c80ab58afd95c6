"""In-Domain GAN inversion (Zhu et al. 2020): an encoder of real images into a generator's latents."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn
from torch.optim import Adam

from .. import encoders
from ..checkpoints import read_json
from ..data import Images
from ..encoders import Encoder, Perceptual
from ..errors import RunError, require_positive, require_weights
from ..generators import DISCRIMINATORS, Generator
from ..latents.inversion import mean_latent, reconstruction_losses, require_invertible
from ..losses.adversarial import discriminator_loss, generator_loss, r1_penalty
from ..views.rendering import describe
from ..views.sources import RealViews
from .discovery_parts import new_encoder
from .fit import Learner, fit
from .gans import constant


@dataclass(frozen=True, kw_only=True)
class InversionEncoderOptions:
    """How the encoder is trained; the defaults suit small images and a CPU, Zhu et al. take a rate of 1e-4.

    Attributes:
        backbone: Of `Encoder`.
        architecture: Further arguments of the encoder, such as `width`.
        discriminator: Arguments of DCGAN's discriminator, such as `width`.
        perceptual_weight: Of the perceptual term; the features' own if None.
        adversarial_weight: Of the adversarial term; 0 for none.
        r1: gamma, the weight of the discriminator's penalty gamma / 2 E[|grad D(x)|^2].
        steps: Optimiser steps.
        batch_size: Images a step.
        lr: Of both Adams.
        seed: Of the networks and the order of the images.
    """

    backbone: str = "disco"
    architecture: Mapping[str, Any] = field(default_factory=dict)
    discriminator: Mapping[str, Any] = field(default_factory=dict)
    perceptual_weight: float | None = None
    adversarial_weight: float = 0.08
    r1: float = 10.0
    steps: int = 1000
    batch_size: int = 32
    lr: float = 5e-4
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(steps=self.steps, batch_size=self.batch_size, lr=self.lr)
        require_weights(perceptual_weight=self.perceptual_weight, adversarial_weight=self.adversarial_weight, r1=self.r1)


class InversionEncoder(Learner):
    """min over E of |x - G(E(x))|^2 + w_p |F(x) - F(G(E(x)))|^2 + w_a softplus(-D(G(E(x)))), G as it is (Zhu et al. 2020, eq. 2),

    while D learns to tell the images from their reconstructions, under an R1 penalty (eq. 3). Both descend at once, as in `GAN`.

    Args:
        generator: G, frozen, in the space of the latents.
        encoder: E, with as many outputs as G has latents.
        discriminator: D: images -> logits (B,), of images whose side is the next power of two.
        views: The real images.
        options: See `InversionEncoderOptions`.
        perceptual: F; None for no such term.
    """

    frozen_parts = ("generator", "perceptual")

    def __init__(
        self,
        generator: Generator,
        encoder: Encoder,
        discriminator: nn.Module,
        views: RealViews,
        options: InversionEncoderOptions,
        perceptual: Perceptual | None = None,
    ):
        super().__init__()
        self.generator, self.encoder, self.discriminator = generator, encoder, discriminator
        self.views, self.options, self.perceptual = views, options, perceptual

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        o, real = self.options, self.views(*batch[0]).first
        rebuilt = self.generator(self.encoder(real))
        with torch.no_grad():
            features = None if self.perceptual is None else self.perceptual(real)
        loss = reconstruction_losses(rebuilt, real, self.perceptual, features, o.perceptual_weight).mean()
        self.log("reconstruction", (rebuilt - real).square().mean())
        if o.adversarial_weight:
            loss = loss + self.adversarial_loss(_enlarged(real), _enlarged(rebuilt))
        self.log("loss", loss)
        return loss

    def adversarial_loss(self, real: Tensor, rebuilt: Tensor) -> Tensor:
        """The losses of E, of D and of the penalty, each with gradients to its own network alone, summed."""
        o, real = self.options, real.requires_grad_()
        real_score, fake_score = self.discriminator(real), self.discriminator(rebuilt.detach())
        losses = {
            "adversarial_loss": generator_loss(constant(self.discriminator, rebuilt)),
            "discriminator_loss": discriminator_loss(real_score, fake_score),
            "r1": r1_penalty(real_score, real),
        }
        self.log_dict(losses)
        return o.adversarial_weight * losses["adversarial_loss"] + losses["discriminator_loss"] + o.r1 / 2 * losses["r1"]

    def configure_optimizers(self) -> Any:
        return Adam([*self.encoder.parameters(), *self.discriminator.parameters()], self.options.lr, betas=(0.9, 0.99))


def _enlarged(images: Tensor) -> Tensor:
    """Images (B, C, H, W) at the next power of two, the sizes of a discriminator."""
    side = _power(images.shape[-1])
    return images if images.shape[-2:] == (side, side) else F.interpolate(images, (side, side), mode="bilinear")


def _power(side: int) -> int:
    return max(8, 1 << (side - 1).bit_length())


def train_inversion_encoder(
    generator: Generator,
    images: Images,
    options: InversionEncoderOptions | None = None,
    out: Path | None = None,
    resume: bool = False,
    *,
    perceptual: Perceptual | None = None,
    **trainer: Any,
) -> Encoder:
    """Trains an encoder of images into the latents of a generator, for `latents.invert`; it begins at the mean latent.

    Args:
        generator: G, frozen and unconditional; one by `in_space("w")` gives an encoder into that space.
        images: Real ones, of G's shape; their labels are not used.
        options: See `InversionEncoderOptions`; the defaults if None.
        out: Run folder for checkpoints, `metrics.csv` and the encoder; None keeps nothing.
        resume: Go on from the last checkpoint in `out`, or return what a finished run left there.
        perceptual: Of `encoders.perceptual`; None compares pixels alone.
        **trainer: Further arguments of `fit`.

    Returns:
        The encoder, frozen.

    Raises:
        OptionError: If an option is wrong, or G is conditional or in training mode.
        RunError: If `resume` finds an encoder of another generator, other options or another F.
        ShapeError: If the images are not of G's shape.
    """
    options = options or InversionEncoderOptions()
    require_invertible(generator, images.image_shape)
    generator.require_smooth()
    facts = {"options": asdict(options), "perceptual": perceptual and describe(perceptual), "generator": describe(generator)}
    if resume and out and (out / "model.json").exists():
        there, wanted = read_json(out / "model.json").get("inversion", {}), json.loads(json.dumps(facts))
        for key in wanted:
            if there.get(key) != wanted[key]:
                raise RunError(
                    f"{out} holds the encoder of another training (other {key}); resume that, or choose another folder"
                )
        return encoders.load(out).requires_grad_(False)
    channels, *sides = generator.image_shape
    side = _power(max(sides))
    encoder = new_encoder(options.backbone, channels, side, generator.latent_dim, options.architecture, options.seed)
    last = [layer for layer in encoder.modules() if isinstance(layer, nn.Linear)][-1]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        last.bias.copy_(mean_latent(generator, seed=options.seed))
        discriminator = DISCRIMINATORS["dcgan"]((channels, side, side), **options.discriminator)
    fit(
        InversionEncoder(generator, encoder, discriminator, RealViews(images), options, perceptual),
        RealViews(images),
        steps=options.steps,
        batch_size=options.batch_size,
        seed=options.seed,
        out=out,
        resume=resume,
        description="encoder",
        **trainer,
    )
    encoder.eval().requires_grad_(False)
    if out:
        rank_zero_only(encoders.save)(encoder, out, inversion=facts)
    return encoder
