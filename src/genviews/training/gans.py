"""Generative adversarial networks: a generator learns to make images that a discriminator takes for real ones."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .. import augmentations
from ..augmentations import DiffAugment
from ..errors import OptionError, require_positive
from ..generators import Generator
from ..losses.adversarial import Form, discriminator_loss, generator_loss, r1_penalty
from ..randomness import derive, uniform
from ..views.sources import RealViews
from .generator_learner import GeneratorLearner, GeneratorOptions


@dataclass(frozen=True)
class GANOptions:
    """What the networks of a GAN descend.

    Attributes:
        loss: "nonsaturating" (Goodfellow et al. 2014) or "hinge" (Miyato et al. 2018).
        r1: gamma, the weight of the penalty gamma / 2 E[|grad D(x)|^2] on real images (Mescheder et al. 2018); 0 for none.
        r1_every: Steps between penalties, each multiplied by this number (Karras et al. 2020's lazy regularisation).
        discriminator_lr: The discriminator's learning rate, as a multiple of the generator's.
        augment: "none"; "diff", where the discriminator sees real and generated images through `DiffAugment` (Zhao et al. 2020),
            for small data; "expert", where some of the real images pass through SimCLR's augmentation, or grey ones through
            MNIST's, which the generator then learns as well.
        augment_probability: With which a real image is augmented by "expert".
    """

    loss: Form = "nonsaturating"
    r1: float = 0.5
    r1_every: int = 16
    discriminator_lr: float = 1.0
    augment: Literal["none", "diff", "expert"] = "none"
    augment_probability: float = 0.5

    def __post_init__(self) -> None:
        require_positive(r1_every=self.r1_every, discriminator_lr=self.discriminator_lr)
        if self.loss not in ("nonsaturating", "hinge"):
            raise OptionError(f"loss is {self.loss!r}; choose nonsaturating or hinge")
        if self.r1 < 0:
            raise OptionError(f"r1 is {self.r1}; it must be positive, or 0 for no penalty")
        if self.augment not in ("none", "diff", "expert"):
            raise OptionError(f"augment is {self.augment!r}; choose none, diff or expert")
        if not 0 <= self.augment_probability <= 1:
            raise OptionError(f"augment_probability is {self.augment_probability}; it must be in [0, 1]")


class GAN(GeneratorLearner):
    """Both networks descend their losses at once, the scheme that Mescheder et al. (2018) analyse: one backward pass, in which
    the generator's loss sees the discriminator's weights as constants, and one optimiser step.

    Args:
        generator: G.
        discriminator: D: images (B, C, H, W) in [0, 1], and of a conditional G conditions int64 (B,) -> logits (B,).
        views: The real images, with their conditions for a conditional G, which makes as many under the same.
        options: See `GeneratorOptions`.
        gan_options: See `GANOptions`.
    """

    last_r1: Tensor

    def __init__(
        self,
        generator: Generator,
        discriminator: nn.Module,
        views: RealViews,
        options: GeneratorOptions,
        gan_options: GANOptions,
    ):
        super().__init__(generator, views, options)
        self.discriminator, self.gan_options = discriminator, gan_options
        expert = augmentations.create("mnist" if views.image_shape[0] == 1 else "simclr")
        self.augment = {"none": None, "diff": DiffAugment(), "expert": expert}[gan_options.augment]
        self.register_buffer("last_r1", torch.zeros(()))  # logged until the next

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        fetched, seeds = batch
        real, _, labels, *_ = self.views(*fetched)
        condition = () if self.generator.num_conditions is None else (labels,)
        fake = self.generator(self.generator.sample_latents(len(seeds), rng=seeds), *condition)
        loss = self.adversarial_loss(real, fake, seeds, *condition)
        self.log("loss", loss)
        return loss

    def adversarial_loss(self, real: Tensor, fake: Tensor, seeds: Tensor, *condition: Tensor) -> Tensor:
        """The losses of G, of D and of the penalty, each with gradients to its own network alone, summed."""
        o = self.gan_options
        real, fake = self.augmented(real, fake, seeds)
        penalised = o.r1 > 0 and self.global_step % o.r1_every == 0
        real.requires_grad_(penalised)
        real_score, fake_score = self.discriminator(real, *condition), self.discriminator(fake.detach(), *condition)
        losses = {
            "generator_loss": generator_loss(self.frozen_discriminator(fake, *condition), o.loss),
            "discriminator_loss": discriminator_loss(real_score, fake_score, o.loss),
        }
        loss = losses["generator_loss"] + losses["discriminator_loss"]
        if penalised:
            penalty = r1_penalty(real_score, real)
            self.last_r1.copy_(penalty.detach())
            loss = loss + o.r1 / 2 * o.r1_every * penalty
        self.log_dict(losses | {"real_score": real_score.mean(), "fake_score": fake_score.mean(), "r1": self.last_r1})
        return loss

    def augmented(self, real: Tensor, fake: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """What D sees of the real and the generated images, (B, C, H, W) each."""
        if self.augment is None:
            return real, fake
        moved = self.augment(real, derive(seeds, 1))
        if self.gan_options.augment == "diff":
            return moved, self.augment(fake, derive(seeds, 2))
        chosen = uniform(derive(seeds, 3), 1)[:, :, None, None] < self.gan_options.augment_probability
        return torch.where(chosen, moved, real), fake

    def frozen_discriminator(self, images: Tensor, *condition: Tensor) -> Tensor:
        """D(images) (B,), with gradients to the images alone; D's own state, such as BatchNorm statistics, stays as it is."""
        weights = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        state = {name: buffer.clone() for name, buffer in self.discriminator.named_buffers()}
        return functional_call(self.discriminator, weights | state, (images, *condition))

    def parameter_groups(self) -> list[dict[str, Any]]:
        lr = self.options.lr * self.gan_options.discriminator_lr
        return [*super().parameter_groups(), {"params": self.discriminator.parameters(), "lr": lr}]
