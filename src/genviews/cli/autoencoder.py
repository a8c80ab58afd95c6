"""`genviews autoencoder`."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import torch

from .. import data as datasets
from .. import devices, encoders, evaluation, generators
from ..checkpoints import read_json, write_text
from ..data import BadFile, Splits
from ..errors import OptionError
from ..generators import Generator
from ..reports import save_grid, write_report
from ..training import (
    AUTOENCODERS,
    PRIORS,
    PretrainOptions,
    VAEGANOptions,
    VQGANOptions,
    Weakening,
    simclr_autoencoder,
    train_autoencoder,
    train_classifier,
    train_prior,
)
from ..training.samples import sheet
from ..views import DecodedImages
from .changes import given

VAEGAN, VQGAN, SIMCLR = VAEGANOptions(), VQGANOptions(), PretrainOptions()


def train(
    data: str,
    family: Literal["vaegan", "vqgan"] = "vaegan",
    out: Path = Path("runs/autoencoder"),
    resume: bool = False,
    decoupled: bool = False,
    weaken: Literal["dropout", "width"] = "dropout",
    amount: float = 0.4,
    encoder: str | None = None,
    image_size: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    ema: float | None = None,
    seed: int = 0,
    architecture: dict[str, Any] | None = None,
    discriminator: dict[str, Any] | None = None,
    vaegan: VAEGANOptions = VAEGAN,
    vqgan: VQGANOptions = VQGAN,
    simclr: PretrainOptions = SIMCLR,
    perceptual: Path | None = None,
    features: str | None = None,
    samples: int = 2000,
    checkpoint_every: int = 200,
    log_every: int = 10,
    on_bad_file: BadFile = "error",
) -> None:
    """Trains an autoencoder with a discriminator on your images, in one stage or decoupled in two (DAE).

    Its latents are made to generate from. `generator sample`, `evaluate generation` and every other verb take the result.

    Examples:
      genviews autoencoder train mnist --image_size 32 --out runs/vaegan
      genviews autoencoder train mnist --image_size 32 --decoupled --weaken dropout --amount 0.4 --out runs/dae-vaegan
      genviews autoencoder train mnist --image_size 32 --encoder simclr
      genviews autoencoder train photos/ --family vqgan --decoupled --image_size 64 --architecture.codes 512
      genviews autoencoder train photos/ --family vqgan --encoder runs/vqgan --vqgan.start 1000 --perceptual runs/encoder

    Args:
        data: A data set by name or path.
        family: "vaegan" (a VAE judged by a discriminator's features) or "vqgan" (a grid of codes).
        out: Run folder, with report.html; of a decoupled training also `weak/`, its first stage.
        resume: Go on with the run in `out`.
        decoupled: Train the encoder with a weakened decoder, keep it as it is, and train a full decoder and a discriminator.
        weaken: How the first stage's decoder is weaker: "dropout" in it, or less "width".
        amount: The fraction of its activations or channels that are left out.
        encoder: Whose encoder is kept while a decoder learns: a run folder of the same architecture, or "simclr" to pretrain one
            by SimCLR, whose whitened representations are a vaegan's latents.
        image_size: Side in pixels; the data's own if not given.
        steps: Optimiser steps a stage; the family's own number if not given.
        batch_size: Images a step; the family's own if not given.
        lr: Learning rate; the family's own if not given.
        ema: Decay a step of the running average of the weights, which is what is kept; the family's own if not given.
        seed: Of everything.
        architecture: Arguments of the family's constructor, such as `--architecture.width 64`.
        discriminator: Arguments of the discriminator's constructor, such as `--discriminator.width 64`.
        vaegan: What the networks of a vaegan descend.
        vqgan: What the networks of a vqgan descend, such as `--vqgan.start 1000`, from which the discriminator counts.
        simclr: How `--encoder simclr` pretrains, such as `--simclr.steps 1000`; its seed is that of everything.
        perceptual: Features of a vqgan's perceptual loss: an encoder's folder.
        features: What FIDs are measured with: FID's InceptionV3, MNIST's LeNet, or an encoder's folder; if not given, a small
            classifier that is trained on the data's labels; "none" measures nothing.
        samples: How many an FID takes.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between rows of metrics.csv.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    if perceptual and family != "vqgan":
        raise OptionError(f"perceptual is {perceptual}, but a vaegan has the discriminator's features; leave it out")
    if encoder == "simclr" and family != "vaegan":
        raise OptionError("encoder is 'simclr', which makes latents of a vaegan; choose that family, or a run folder")
    if encoder and decoupled:
        raise OptionError(f"encoder is {encoder!r}, which is kept, and decoupled trains one first; leave one of them out")
    weakening = Weakening(weaken, amount) if decoupled else None
    splits = datasets.load(data, image_size, on_bad_file=on_bad_file)
    kept: Any = None
    if encoder == "simclr":
        kept = simclr_autoencoder(splits.train, replace(simclr, seed=seed), out / "simclr", resume, architecture=architecture)
    elif encoder:
        kept = generators.load(encoder)
    found = train_autoencoder(
        family,
        splits.train,
        replace(AUTOENCODERS[family].options, **given(steps=steps, batch_size=batch_size, lr=lr, ema=ema, seed=seed)),
        out,
        resume,
        architecture=architecture,
        discriminator=discriminator,
        objective={"vaegan": vaegan, "vqgan": vqgan}[family],
        weaken=weakening,
        encoder=kept,
        perceptual=encoders.features(perceptual) if perceptual else None,
        checkpoint_every=checkpoint_every,
        log_every=log_every,
    )
    _show(found, splits, Path(data).stem, out, resume, features, samples, seed)


def prior(
    autoencoder: str,
    data: str,
    kind: Literal["gpt", "dit"] = "gpt",
    out: Path = Path("runs/prior"),
    resume: bool = False,
    steps: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    ema: float | None = None,
    seed: int = 0,
    architecture: dict[str, Any] | None = None,
    features: str | None = None,
    samples: int = 2000,
    checkpoint_every: int = 200,
    log_every: int = 10,
    on_bad_file: BadFile = "error",
) -> None:
    """Trains a prior over the codes of a vqgan; both together are a generator.

    Examples:
      genviews autoencoder prior runs/vqgan mnist --out runs/mnist-gpt
      genviews autoencoder prior runs/vqgan photos/ --kind dit --architecture.layers 8 --steps 20000

    Args:
        autoencoder: Run folder by `autoencoder train --family vqgan`.
        data: A data set by name or path; loaded at the autoencoder's size.
        kind: "gpt" (codes one after the other) or "dit" (diffusion).
        out: Run folder, with report.html.
        resume: Go on with the run in `out`.
        steps: Optimiser steps; the kind's own number if not given.
        batch_size: Images a step; the kind's own if not given.
        lr: Learning rate; the kind's own if not given.
        ema: Decay a step of the running average of the weights, which is what is kept; the kind's own if not given.
        seed: Of everything.
        architecture: Arguments of the prior's constructor, such as `--architecture.layers 8`.
        features: What FIDs are measured with, as for `autoencoder train`.
        samples: How many an FID takes.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between rows of metrics.csv.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    vqgan = generators.load(autoencoder).to(devices.best())
    splits = datasets.load(data, vqgan.image_shape[-1], on_bad_file=on_bad_file)
    found = train_prior(
        kind,
        vqgan,
        splits.train,
        replace(PRIORS[kind].options, **given(steps=steps, batch_size=batch_size, lr=lr, ema=ema, seed=seed)),
        out,
        resume,
        architecture=architecture,
        checkpoint_every=checkpoint_every,
        log_every=log_every,
    )
    _show(found, splits, Path(data).stem, out, resume, features, samples, seed)


def _show(
    found: Generator, data: Splits, name: str, out: Path, resume: bool, features: str | None, samples: int, seed: int
) -> None:
    """Pictures, numbers and the page."""
    found.to(devices.best())
    pictures = {"prior": (sheet(found, seed), 8)}
    if found.encodes:
        few = torch.arange(min(12, len(data.test)))
        pairs = torch.cat([data.test[few][0], DecodedImages(found, data.test)[few][0]])
        some = torch.arange(min(64, len(data.train)))
        pictures |= {"reconstructions": (pairs, len(few)), "posterior": (DecodedImages(found, data.train, seed)[some][0], 8)}
    for title, (images, columns) in pictures.items():
        save_grid(out / "images" / f"{title}.png", images, columns)
    results = read_json(out / "results.json")
    if features != "none" and (features or data.train.labels.min() >= 0):
        folder = out / "features"
        judge = encoders.features(features) if features else train_classifier(data, name=name, out=folder, resume=resume)
        measured = asdict(evaluation.autoencoding(found, data, judge, samples=samples, seed=seed))
        write_text(out / "results.json", json.dumps(results | {"measured": measured}, indent=1) + "\n")
        score = measured["inception_score"]
        for title, value in (measured | {"inception_score": score and score["mean"]}).items():
            if isinstance(value, float):
                print(f"{title.replace('_', ' '):<26}{value:.4g}")
        print(f"by {samples:,} samples; features: {judge.name}")
    print(write_report(out), out, sep="\n")


COMMAND = {"train": train, "prior": prior}
