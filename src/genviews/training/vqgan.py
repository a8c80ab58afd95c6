"""VQGAN (Esser et al. 2021): a discrete autoencoder with a perceptual and an adversarial loss."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import OptionError
from ..losses.adversarial import Form, discriminator_loss, generator_loss
from ..metrics import codebook_perplexity
from ..randomness import shuffled
from .autoencoder_learner import AutoencoderLearner
from .gans import GANOptions, constant


@dataclass(frozen=True)
class VQGANOptions(GANOptions):
    """What the networks of a VQGAN descend.

    Attributes:
        loss: The authors' is "hinge".
        start: Step from which the discriminator learns and counts (paper: 30,001): when reconstructions are good, or it drowns
            them and all images become one.
        weight: What the adversarial loss weighs, beside its adaptive weight.
        codebook: What the codebook loss weighs.
        perceptual: What the perceptual loss weighs, where there is a network for it.
    """

    loss: Form = "hinge"
    r1: float = 0.0
    start: int = 500
    weight: float = 0.8
    codebook: float = 1.0
    perceptual: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.augment != "none" or self.r1:
            raise OptionError(f"augment is {self.augment!r} and r1 {self.r1}; a VQGAN takes neither, leave them 'none' and 0")
        for name in ("start", "weight", "codebook", "perceptual"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name} is {getattr(self, name)}; it must be 0 or more")


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last: Tensor) -> Tensor:
    """|grad_last reconstruction| / (|grad_last adversarial| + 1e-4), at most 1e4 (Esser et al. 2021, eq. 7).

    Args:
        reconstruction: A loss, a scalar.
        adversarial: Another.
        last: The weights of the decoder's last layer.
    """
    (of_reconstruction,) = torch.autograd.grad(reconstruction, last, retain_graph=True)
    (of_adversarial,) = torch.autograd.grad(adversarial, last, retain_graph=True)
    return (of_reconstruction.norm() / (of_adversarial.norm() + 1e-4)).clamp(0, 1e4)


class VQGAN(AutoencoderLearner):
    """The autoencoder descends |x - x'| + perceptual + codebook loss + weight lambda L_G(x'), D its own loss (eqs. 4 to 7).

    Pixels are in [-1, 1] in the first term; lambda is the `adaptive_weight`. The authors' perceptual loss is LPIPS; here it is
    the mean squared error of the features of whatever network is given.

    Args:
        *args: Of `GAN`; the generator a `generators.VQGAN`, the options `VQGANOptions`.
        kept: Whether the encoder, its quant_conv and the codebook stay as they are.
        perceptual: Images (B, C, H, W) in [0, 1] -> features; None for no such loss.
    """

    frozen_parts = ("views", "kept", "perceptual")
    gan_options: VQGANOptions

    def __init__(self, *args: Any, kept: bool = False, perceptual: nn.Module | None = None):
        super().__init__(*args, kept=kept)
        self.perceptual = perceptual.eval().requires_grad_(False) if perceptual else None
        if not kept:
            some = shuffled(len(self.views), self.options.seed)[: self.options.batch_size]
            self.generator.initialise(self.generator.continuous(self.views(*self.views[some]).first))

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        o, vqgan = self.gan_options, self.generator
        real = self.views(*batch[0]).first
        quantised, codebook_loss, codes = vqgan.quantised(vqgan.continuous(real))
        fake = vqgan.decoded(quantised)
        reconstruction = 2 * (fake - real).abs().mean()
        if self.perceptual is not None:
            reconstruction = reconstruction + o.perceptual * (self.perceptual(fake) - self.perceptual(real)).square().mean()
        loss = reconstruction if len(self.kept) else reconstruction + o.codebook * codebook_loss
        self.log_dict({"loss": loss, "reconstruction": reconstruction, "codebook_loss": codebook_loss})
        self.log("perplexity", codebook_perplexity(codes, vqgan.codes))
        if self.global_step < o.start:
            return loss
        adversarial = generator_loss(constant(self.discriminator, fake), o.loss)
        weight = o.weight * adaptive_weight(reconstruction, adversarial, vqgan.decoder.conv_out.weight)
        judging = discriminator_loss(self.discriminator(real), self.discriminator(fake.detach()), o.loss)
        self.log_dict({"generator_loss": adversarial, "adversarial_weight": weight, "discriminator_loss": judging})
        return loss + weight * adversarial + judging
