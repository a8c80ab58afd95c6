"""VAE/GAN (Larsen et al. 2016): a VAE that is judged by what a discriminator sees, and a GAN that reconstructs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import OptionError
from ..randomness import derive, normal
from .autoencoder_learner import AutoencoderLearner
from .gans import GANOptions, constant
from .vaes import divergence


@dataclass(frozen=True)
class VAEGANOptions(GANOptions):
    """What the networks of a VAE/GAN descend: `GANOptions` without augmentation, and this.

    Attributes:
        gamma: What the reconstruction weighs in the decoder's loss, its squared error a mean over the features.
    """

    gamma: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.augment != "none":
            raise OptionError(f"augment is {self.augment!r}; a VAE/GAN reconstructs what D sees, so leave it 'none'")
        if self.gamma < 0:
            raise OptionError(f"gamma is {self.gamma}; it must be 0 or more")


class VAEGAN(AutoencoderLearner):
    """Each network descends its own loss (Larsen et al. 2016, algorithm 1), all at once as in `GAN`:

        encoder         KL(q(z | x) || N(0, I)) + L
        decoder         gamma L - log D(G(z)) - log D(G(z')),  z ~ q(z | x),  z' ~ N(0, I)
        discriminator   -log D(x) - log(1 - D(G(z))) - log(1 - D(G(z')))

    where L = |f(x) - f(G(z))|^2 / 2 of D's features f, a normal's negative log-likelihood. The two kinds of generated images
    count half each. Where L stands beside an adversarial loss it is divided by the number of features, and the decoder's loss is
    the non-saturating one: this project's choice, as are the features, D's last.

    Args:
        *args: Of `GAN`; the generator a `generators.VAEGAN`, the discriminator with `body`, and the options `VAEGANOptions`.
        kept: Whether the encoder stays as it is.
    """

    gan_options: VAEGANOptions

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        fetched, seeds = batch
        real = self.views(*fetched).first
        mean, log_variance = (part.float() for part in self.generator.posterior(real))
        z = mean + (log_variance / 2).exp() * normal(derive(seeds, 4), self.generator.latent_dim)
        code = z.detach().requires_grad_()
        prior = self.generator.sample_latents(len(seeds), rng=seeds)
        fake = self.generator(torch.cat([code, prior]))
        reconstruction, per_feature = self.reconstruction(real, fake[: len(seeds)])
        loss = self.gan_options.gamma * per_feature + self.adversarial_loss(real, fake, seeds)
        kl = divergence(mean, log_variance)
        if mean.requires_grad:
            (slope,) = torch.autograd.grad(reconstruction, code, retain_graph=True)
            loss = loss + kl + (z * slope).sum()  # the encoder's gradient, of no other loss than its own
        self.log_dict({"loss": kl + reconstruction, "reconstruction": reconstruction, "divergence": kl})
        return loss

    def reconstruction(self, real: Tensor, reconstructed: Tensor) -> tuple[Tensor, Tensor]:
        """L of images (B, C, H, W), the mean over them, with gradients to the reconstructed ones; and L over D's features."""
        seen = constant(self.discriminator.body, 2 * real - 1).detach()
        error = (seen - constant(self.discriminator.body, 2 * reconstructed - 1)).float().square()
        return error.sum(1).mean() / 2, error.mean() / 2
