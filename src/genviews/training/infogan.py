"""InfoGAN-CR (Lin et al. 2020): a GAN whose first latent dimensions, its codes, each change the images in a way of their own."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..encoders import Encoder, projector
from ..errors import OptionError
from ..generators import Generator
from ..randomness import derive, normal, uniform
from ..views.sources import RealViews
from .gans import GAN, GANOptions
from .generator_learner import GeneratorOptions


@dataclass(frozen=True)
class InfoGANOptions(GANOptions):
    """What the networks of an InfoGAN-CR descend: `GANOptions`, and these, whose defaults are the authors' for dSprites.

    Attributes:
        codes: How many latent dimensions are codes, at least 2; 0 for none, a plain GAN.
        information: lambda, the weight of the codes' log-likelihood given the image; 0 for none.
        contrast: alpha, the weight of the contrastive regulariser; 0 leaves InfoGAN (Chen et al. 2016).
        contrast_from: The step from which the regulariser counts; the authors let InfoGAN learn first.
    """

    codes: int = 5
    information: float = 0.05
    contrast: float = 2.0
    contrast_from: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.information, self.contrast) < 0:
            raise OptionError(f"information is {self.information} and contrast {self.contrast}; neither may be negative")


def pair_classifier(image_shape: tuple[int, int, int], codes: int) -> nn.Sequential:
    """H: two images (B, 2 C, H, W) -> logits (B, codes) of the code they share; stride-2 convolutions down to about 4 px."""
    channels, height, width = image_shape
    depth = min(max((min(height, width) // 4).bit_length() - 1, 0), 4)
    widths = (2 * channels, 32, 32, 64, 64)[: depth + 1]
    layers: list[nn.Module] = []
    for into, out in pairwise(widths):
        layers += [nn.Conv2d(into, out, 4, 2, 1), nn.LeakyReLU(0.2)]
    flat = widths[-1] * (height >> depth) * (width >> depth)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, 128), nn.LeakyReLU(0.2), nn.Linear(128, codes))


class InfoGANCR(GAN):
    """min over G, Q, H and max over D of  L_GAN - lambda E[log q(c | G(z))] + alpha E[-log h(i | G(z), G(z'))].

    The codes c are the first latent dimensions. q is a normal of unit variance around Q's output, H classifies which code i the
    pair z, z' shares, whose other codes are independent and whose remaining dimensions are equal. The authors' codes are uniform
    on [-1, 1]; ours are N(0, 1), so that what is learned obeys the same prior as every generator here.

    Args:
        generator: G, unconditional.
        discriminator: D, as `GAN`'s; besides, `features(images)` gives its last representation (B, num_features), which Q reads.
        views: The real images.
        options: See `GeneratorOptions`.
        gan_options: See `InfoGANOptions`.

    Raises:
        OptionError: If there are fewer than two codes, or more than the latents have dimensions; or if G is conditional.
    """

    discriminator: Any
    gan_options: InfoGANOptions

    def __init__(
        self,
        generator: Generator,
        discriminator: nn.Module,
        views: RealViews,
        options: GeneratorOptions,
        gan_options: InfoGANOptions,
    ):
        super().__init__(generator, discriminator, views, options, gan_options)
        if generator.num_conditions is not None:
            raise OptionError(f"{type(generator).__name__} is conditional, an InfoGAN is not; leave the codes out")
        codes = gan_options.codes
        if not 2 <= codes <= generator.latent_dim:
            raise OptionError(f"codes is {codes}; give 2 or more, up to the {generator.latent_dim} dimensions of the latents")
        self.code_head = projector(self.discriminator.num_features, 128, codes)
        self.pair_classifier = pair_classifier(generator.image_shape, codes)

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        fetched, seeds = batch
        real = self.views(*fetched).first
        z = self.generator.sample_latents(len(seeds), rng=seeds)
        fake = self.generator(z)
        information, contrast = self.information_loss(z, fake), self.contrast_loss(z, fake, seeds)
        o = self.gan_options
        alpha = o.contrast if self.global_step >= o.contrast_from else 0.0
        loss = self.adversarial_loss(real, fake, seeds) + o.information * information + alpha * contrast
        self.log_dict({"loss": loss, "information_loss": information, "contrast_loss": contrast})
        return loss

    def information_loss(self, z: Tensor, fake: Tensor) -> Tensor:
        """-E[log q(c | G(z))] but for a constant, of latents (B, D) and images (B, C, H, W); D's features learn from it too."""
        guess = self.code_head(self.discriminator.features(fake))
        return (guess - z[:, : self.gan_options.codes]).square().sum(1).mean() / 2

    def contrast_loss(self, z: Tensor, fake: Tensor, seeds: Tensor) -> Tensor:
        """The cross-entropy with which H tells the code that latents (B, D), of images (B, C, H, W), share with fresh ones."""
        codes = self.gan_options.codes
        shared = (uniform(derive(seeds, 4), 1)[:, 0] * codes).long()
        kept = F.one_hot(shared, codes).bool()
        fresh = torch.where(kept, z[:, :codes], normal(derive(seeds, 5), codes))
        other = self.generator(torch.cat([fresh, z[:, codes:]], dim=1))
        return F.cross_entropy(self.pair_classifier(torch.cat([fake, other], dim=1)), shared)

    def parameter_groups(self) -> list[dict[str, Any]]:
        generator, discriminator = super().parameter_groups()
        heads = [*self.code_head.parameters(), *self.pair_classifier.parameters()]
        return [generator, discriminator, {**discriminator, "params": heads}]

    def encoder(self, family: str, **discriminator: Any) -> Encoder:
        """Q, frozen: images (B, C, H, W) in [0, 1] -> codes (B, codes); of a family, its discriminator's arguments."""
        channels, side, _ = self.generator.image_shape
        encoder = Encoder(f"{family}-discriminator", channels, side, self.gan_options.codes, **discriminator)
        encoder.backbone.discriminator, encoder.backbone.head = self.discriminator, self.code_head
        return encoder.eval().requires_grad_(False)
