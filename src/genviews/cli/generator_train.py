"""`genviews generator train`."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from .. import data as datasets
from .. import encoders
from ..data import BadFile
from ..reports import write_report
from ..runs import is_first_process
from ..training import DEFAULTS, FrechetDistance, InfoGANOptions, InstanceOptions, VAEOptions, train_classifier, train_generator
from .changes import given

Family = Literal[
    "stylegan2",
    "sngan",
    "dcgan",
    "biggan",
    "biggan_deep",
    "icgan",
    "burgess_vae",
    "disco_vae",
    "mlp_vae",
    "glow",
    "residual_flow",
    "realnvp",
]

VAE_OBJECTIVE, GAN_OBJECTIVE, INSTANCES = VAEOptions(), InfoGANOptions(codes=0), InstanceOptions()


def train(
    family: Family = "realnvp",
    data: str = "digits",
    out: Path = Path("runs/generator"),
    resume: bool = False,
    image_size: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    ema: float | None = None,
    seed: int = 0,
    architecture: dict[str, Any] | None = None,
    discriminator: dict[str, Any] | None = None,
    vae: VAEOptions = VAE_OBJECTIVE,
    gan: InfoGANOptions = GAN_OBJECTIVE,
    instances: InstanceOptions = INSTANCES,
    features: str | None = None,
    samples: int = 2000,
    every: int | None = None,
    precision: str = "32-true",
    devices: str = "1",
    workers: int = 0,
    checkpoint_every: int = 200,
    log_every: int = 10,
    on_bad_file: BadFile = "error",
) -> None:
    """Trains a small generator on your images: a GAN, a VAE or a flow, with samples and FID on the way.

    Examples:
      genviews generator train --family stylegan2 --data photos/ --image_size 64 --out runs/photos
      genviews generator train --family biggan_deep --data mnist --image_size 32
      genviews generator train --family icgan --data mnist --image_size 32 --instances.encoder runs/encoder
      genviews generator train --family glow --data mnist --architecture.steps 16 --features lenet.pt
      genviews generator train --family burgess_vae --data shapes.npz --vae.objective tc --vae.beta 6
      genviews generator train --family realnvp --data digits --architecture.levels 17

    Args:
        family: Of generators.
        data: A data set by name or path; the training part.
        out: Run folder; `genviews generator info` and every other verb take it. It has report.html and images/samples-STEP.png.
        resume: Go on with the run in `out`.
        image_size: Side in pixels; the data's own if not given.
        steps: Optimiser steps; the family's own number if not given.
        batch_size: Images a step; the family's own if not given.
        lr: Learning rate; the family's own if not given.
        ema: Decay a step of the running average of the weights, which is what is kept; the family's own if not given.
        seed: Of everything.
        architecture: Arguments of the family's constructor, such as `--architecture.latent_dim 10`.
        discriminator: Arguments of the constructor of a GAN's discriminator, such as `--discriminator.width 32`.
        vae: What a VAE minimises, such as `--vae.objective tc --vae.beta 6`.
        gan: What the networks of a GAN descend; `--gan.codes 5` makes it an InfoGAN-CR.
        instances: What an IC-GAN is conditioned on, such as `--instances.encoder runs/encoder`; without an encoder, one is
            pretrained on the data first.
        features: What FID is measured with: FID's InceptionV3, MNIST's LeNet, or an encoder's folder; if not given, a small
            classifier that is trained on the data's labels first; "none" measures no FID.
        samples: How many FID takes.
        every: Steps between pictures and FID; a tenth of all if not given.
        precision: Lightning's: 32-true, bf16-mixed, 16-mixed.
        devices: How many, or "auto" for all.
        workers: Loader processes.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between rows of metrics.csv.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    options = replace(DEFAULTS[family], **given(steps=steps, batch_size=batch_size, lr=lr, ema=ema, seed=seed))
    splits = datasets.load(data, image_size, on_bad_file=on_bad_file)
    train_generator(
        family,
        splits.train,
        options,
        out,
        resume,
        architecture=architecture,
        discriminator=discriminator,
        vae=vae,
        gan=gan,
        instances=instances,
        distance=partial(_distance, features, splits, Path(data).stem, out / "features", samples, seed),
        every=every,
        precision=precision,
        devices=devices,
        workers=workers,
        checkpoint_every=checkpoint_every,
        log_every=log_every,
    )
    if is_first_process():
        print(write_report(out), out, sep="\n")


def _distance(
    features: str | None, data: datasets.Splits, name: str, out: Path, samples: int, seed: int
) -> FrechetDistance | None:
    """What the first process measures the FID with."""
    if features == "none" or not is_first_process() or (features is None and data.train.labels.min() < 0):
        return None
    judge = encoders.features(features) if features else train_classifier(data, name=name, out=out, resume=True)
    return FrechetDistance(judge, data.test, samples, seed)


COMMAND = train
