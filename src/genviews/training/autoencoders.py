"""Autoencoders whose latents make generators better: trained jointly, or decoupled in two stages (DAE)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from .. import generators
from ..data import Images, Subset, mapped
from ..errors import OptionError
from ..generators import DISCRIMINATORS, FAMILIES
from ..randomness import shuffled
from ..views import RealViews
from .autoencoder_learner import AutoencoderLearner, Weakening
from .generator_learner import GeneratorOptions
from .generators import build, train_learner, write_results
from .vaegan import VAEGAN, VAEGANOptions
from .vqgan import VQGAN, VQGANOptions

_STANDARDISED = 1024  # images that a VQGAN's latents are standardised by


@dataclass(frozen=True)
class Family:
    """How autoencoders of a family are trained.

    Attributes:
        learner: What learns.
        objective: Its options by default.
        options: By default.
        multiple: Of the decoder's width.
    """

    learner: type[AutoencoderLearner]
    objective: Any
    options: GeneratorOptions
    multiple: int = 1


ADAM = GeneratorOptions(
    steps=4000, batch_size=64, lr=2e-4, betas=(0.5, 0.999), weight_decay=0.0, schedule="constant", clip=None, ema=0.998
)

AUTOENCODERS: dict[str, Family] = {
    "vaegan": Family(VAEGAN, VAEGANOptions(), ADAM),
    "vqgan": Family(VQGAN, VQGANOptions(), replace(ADAM, steps=2000, batch_size=32, lr=5e-4, betas=(0.5, 0.9)), multiple=8),
}
"""The families, and how they are trained unless one says otherwise: the papers' Adams, with rates and sizes for a CPU."""


def train_autoencoder(
    family: str,
    images: Images,
    options: GeneratorOptions | None = None,
    out: Path = Path("runs/autoencoder"),
    resume: bool = False,
    *,
    architecture: Mapping[str, Any] | None = None,
    discriminator: Mapping[str, Any] | None = None,
    objective: Any = None,
    weaken: Weakening | None = None,
    encoder: Any = None,
    perceptual: nn.Module | None = None,
    **trainer: Any,
) -> Any:
    """Trains an encoder and a decoder, an autoencoder that `generators.load` opens.

    With `weaken` it is a DAE: in a first stage, kept in `out`/weak, the encoder learns with a weakened decoder; in the second it
    stays as it is, and a full decoder and a discriminator begin anew. That is the authors'; how much each stage trains, and how
    the decoder is weakened, is this project's choice.

    Args:
        family: Of `AUTOENCODERS`.
        images: To learn from.
        options: Of each stage; the family's if None.
        out: Run folder.
        resume: Go on from the last checkpoint of either stage, or return the autoencoder that a finished run left in `out`.
        architecture: Further arguments of the family's constructor.
        discriminator: Further arguments of the discriminator's constructor.
        objective: What the networks descend, `VAEGANOptions` or `VQGANOptions`; the family's if None.
        weaken: The weak decoder of a first stage; None for no such stage.
        encoder: An autoencoder of this architecture whose encoder is kept; None to train one.
        perceptual: Images (B, C, H, W) in [0, 1] -> features of a VQGAN's perceptual loss; None for none.
        **trainer: Further arguments of `train_learner` and `fit`.

    Raises:
        OptionError: If there is no such family or architecture, `perceptual` comes with a VAE/GAN, or `encoder` fits no such
            autoencoder or comes with `weaken`.
    """
    if family not in AUTOENCODERS:
        raise OptionError(f"family is {family!r}; choose {' or '.join(AUTOENCODERS)}")
    if weaken and encoder is not None:
        raise OptionError("an encoder is given and a weak decoder to train one with; leave one of them out")
    if resume and (out / "model.json").exists():
        return generators.load(out)
    kind, views = AUTOENCODERS[family], RealViews(images)
    options, objective = options or kind.options, objective or kind.objective
    more = {"perceptual": perceptual} if perceptual else {}

    def stage(folder: Path, weaken: Weakening | None, encoder: Any) -> Any:
        """One training; the second's networks are drawn anew."""
        if resume and (folder / "model.json").exists():
            return generators.load(folder)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed if encoder is None else options.seed + 1)
            built = build(FAMILIES[family], views, architecture or {})
            if weaken and (width := weaken.decoder_width(built.config["width"], kind.multiple)):
                built = build(FAMILIES[family], views, {**(architecture or {}), "decoder_width": width})
            judge = build(DISCRIMINATORS[family], views, discriminator or {})
            if encoder is not None:
                keep_encoder(built, encoder)
            if weaken:
                weaken.apply(built.decoder)
            module = kind.learner(built, judge, views, options, objective, kept=encoder is not None, **more)
        results = train_learner(module, views, family, folder, resume, **trainer)
        trained = module.trained.frozen()
        if isinstance(trained, generators.VQGAN):
            some = Subset(images, shuffled(len(images), options.seed)[:_STANDARDISED])
            trained.standardise(mapped(trained.continuous, some, options.batch_size, trained.device))
        write_results(folder, {"kind": "autoencoder", **results, "config": trained.config, "stage": _stage(weaken, encoder)})
        rank_zero_only(generators.save)(trained, folder)
        return trained

    if weaken:
        encoder = stage(out / "weak", weaken, None)
    return stage(out, None, encoder)


def keep_encoder(autoencoder: Any, source: Any) -> None:
    """Gives an autoencoder the encoder of another one.

    Raises:
        OptionError: If it has another architecture.
    """
    if type(source) is not type(autoencoder):
        raise OptionError(f"the encoder is a {type(source).__name__}'s; give one of a {type(autoencoder).__name__}")
    for part, theirs in zip(autoencoder.encoding, source.encoding, strict=True):
        try:
            part.load_state_dict(theirs.state_dict())
        except RuntimeError:
            raise OptionError(
                f"the encoder is of {source.config}, the autoencoder of {autoencoder.config}; give them the same architecture"
            ) from None


def _stage(weaken: Weakening | None, encoder: Any) -> str:
    if weaken:
        return f"an encoder with a decoder weakened by {weaken.by} {weaken.amount:g}"
    return "encoder and decoder together" if encoder is None else "a decoder for an encoder that is kept"
