"""VAE/GAN's and VQGAN's losses, written out network by network; and trainings that a test repeats."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from genviews import data
from genviews.data import ArrayImages
from genviews.training import AUTOENCODERS, VQGANOptions, Weakening, train_autoencoder
from genviews.training.vaegan import VAEGAN
from genviews.training.vqgan import VQGAN

VAEGAN_SIZE: dict[str, Any] = {"latent_dim": 4, "width": 8}
VQGAN_SIZE: dict[str, Any] = {"width": 8, "multipliers": (1, 1), "codes": 12, "code_dim": 4, "attention": False}
SIZES = {"vaegan": VAEGAN_SIZE, "vqgan": VQGAN_SIZE}
OBJECTIVES = {"vaegan": None, "vqgan": VQGANOptions(start=2)}


def digits() -> ArrayImages:
    images: Any = data.load("digits").train
    return images.subset(torch.arange(64))


class Killed(Exception):
    """Stands for a killed process."""


class Kill(Callback):
    """Stops a training after so many steps in a folder of this name."""

    def __init__(self, folder: str, step: int):
        self.folder, self.step = folder, step

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        checkpoints = next(c for c in trainer.callbacks if hasattr(c, "dirpath"))
        if trainer.global_step == self.step and Path(checkpoints.dirpath).parent.name == self.folder:
            raise Killed


def train(family: str, out: Path, resume: bool = False, weaken: Weakening | None = None, width: int = 8, **more: Any) -> Any:
    """A few steps of a tiny autoencoder on a few digits."""
    options = replace(AUTOENCODERS[family].options, steps=4, batch_size=16, lr=1e-3, ema=0.5)
    return train_autoencoder(
        family,
        digits(),
        options,
        out,
        resume,
        architecture={**SIZES[family], "width": width},
        discriminator={"width": 4},
        objective=OBJECTIVES[family],
        weaken=weaken,
        accelerator="cpu",
        every=4,
        checkpoint_every=1,
        **more,
    )


def vaegan_losses(module: VAEGAN, real: Tensor, noise: Tensor, prior: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The encoder's, the decoder's and the discriminator's loss (Larsen et al. 2016, algorithm 1), each of its own graph."""
    vaegan, judge = module.generator, module.discriminator
    mean, log_variance = vaegan.posterior(real)
    z = mean + torch.exp(log_variance / 2) * noise
    kl = sum(-0.5 * (1 + v - m**2 - v.exp()) for m, v in zip(mean.flatten(), log_variance.flatten(), strict=True)) / len(real)

    def decode(code: Tensor) -> tuple[Tensor, Tensor]:
        return vaegan(torch.cat([code, prior])).chunk(2)

    def features(images: Tensor) -> Tensor:
        return judge.body(2 * images - 1)

    def likeness(reconstructed: Tensor) -> Tensor:
        return (features(real) - features(reconstructed)).square()

    encoder = kl + likeness(decode(z)[0]).sum() / 2 / len(real)
    reconstructed, sampled = decode(z.detach())
    fake = judge(torch.cat([reconstructed, sampled]))
    decoder = module.gan_options.gamma * likeness(reconstructed).mean() / 2 - F.logsigmoid(fake).mean()
    judged = judge(torch.cat([reconstructed, sampled]).detach())
    discriminator = -F.logsigmoid(judge(real)).mean() - F.logsigmoid(-judged).mean()
    return encoder, decoder, discriminator


def vqgan_losses(module: VQGAN, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The autoencoder's and the discriminator's loss (Esser et al. 2021, eqs. 4 to 7), by diffusers' quantiser; and lambda."""
    model, judge = module.generator.model, module.discriminator
    quantised, codebook_loss, _ = model.quantize(model.encode(2 * real - 1).latents)
    fake = model.decode(quantised, force_not_quantize=True).sample
    reconstruction = (fake - (2 * real - 1)).abs().mean()
    adversarial = -judge((fake + 1) / 2).mean()
    last = model.decoder.conv_out.weight
    slopes = [torch.autograd.grad(loss, last, retain_graph=True)[0] for loss in (reconstruction, adversarial)]
    norms = [slope.square().sum().sqrt() for slope in slopes]
    adaptive = norms[0] / (norms[1] + 1e-4)
    autoencoder = reconstruction + codebook_loss + 0.8 * adaptive * adversarial
    detached = ((fake + 1) / 2).detach()
    return autoencoder, F.relu(1 - judge(real)).mean() + F.relu(1 + judge(detached)).mean(), adaptive
