"""Generators to start from where there is no checkpoint: a flow by likelihood, a VAE by its bound, a GAN by its game."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only

from .. import encoders, generators, runs
from ..checkpoints import write_text
from ..data import Images
from ..errors import OptionError, require_options, require_positive
from ..generators import DISCRIMINATORS, FAMILIES, VAE, Flow, Generator
from ..views import ClassViews, InstanceViews, RealViews
from .fit import fit
from .gans import GAN, GANOptions
from .generator_learner import GeneratorLearner, GeneratorOptions
from .infogan import InfoGANCR, InfoGANOptions
from .instances import InstanceOptions, instance_features, spread
from .likelihood import MaximumLikelihood
from .samples import FrechetDistance, Samples
from .vaes import OBJECTIVES, VAEOptions

FLOW = GeneratorOptions(lr=1e-3, clip=1.0, ema=0.99)
CONVOLUTIONAL_VAE = GeneratorOptions(steps=3000, batch_size=64, lr=1e-3)
ADVERSARIAL = GeneratorOptions(
    steps=10000, batch_size=32, lr=5e-4, betas=(0.5, 0.99), weight_decay=0.0, schedule="constant", clip=None, ema=0.998
)
CONDITIONAL = replace(ADVERSARIAL, betas=(0.0, 0.99))

DEFAULTS: dict[str, GeneratorOptions] = {
    "realnvp": GeneratorOptions(clip=1.0),
    "glow": FLOW,
    "residual_flow": FLOW,
    "burgess_vae": CONVOLUTIONAL_VAE,
    "disco_vae": CONVOLUTIONAL_VAE,
    "mlp_vae": CONVOLUTIONAL_VAE,
    "biggan": CONDITIONAL,
    "biggan_deep": CONDITIONAL,
    "icgan": CONDITIONAL,
    "stylegan2": replace(ADVERSARIAL, lr=4e-3, betas=(0.0, 0.99)),
    "sngan": ADVERSARIAL,
    "dcgan": ADVERSARIAL,
}
"""The families that are trained here, and how unless one says otherwise."""


def learner(
    family: str,
    views: RealViews,
    options: GeneratorOptions,
    architecture: Mapping[str, Any],
    discriminator: Mapping[str, Any],
    vae: VAEOptions,
    gan: GANOptions,
) -> GeneratorLearner:
    """A new generator of a family, with the objective that suits it; see `train_generator`."""
    if family not in DEFAULTS:
        raise OptionError(f"family {family!r} is not trained here; choose {', '.join(DEFAULTS)}")
    generator = build(FAMILIES[family], views, architecture)
    if generator.image_shape != views.image_shape:
        raise OptionError(f"this {family} makes images {generator.image_shape}; the data are {views.image_shape}")
    if isinstance(generator, Flow):
        return MaximumLikelihood(generator, views, options)
    if isinstance(generator, VAE):
        return OBJECTIVES[vae.objective](generator, views, options, vae)
    judge = build(DISCRIMINATORS[family], views, discriminator)
    if isinstance(gan, InfoGANOptions) and gan.codes:
        return InfoGANCR(generator, judge, views, options, gan)
    return GAN(generator, judge, views, options, gan)


def build(network: type, views: RealViews, options: Mapping[str, Any]) -> Any:
    """An untrained generator or discriminator for images, and conditions if there are any.

    Raises:
        OptionError: If it has no such option, or none such value.
    """
    require_options(network, options)
    conditions: Any = {} if views.conditions is None else {"conditions": views.conditions}
    try:
        return getattr(network, "for_images", network)(image_shape=views.image_shape, **conditions, **options)
    except (TypeError, ArithmeticError, RuntimeError) as error:
        raise OptionError(f"a {network.__name__} cannot be built of {dict(options)}: {error}") from None


def _views(family: str, images: Images, instances: InstanceOptions, out: Path, seed: int) -> RealViews:
    """The images with the conditions that the family takes."""
    if family == "icgan":
        return InstanceViews(images, instance_features(images, instances.encoder, out, seed), instances.neighbours)
    return ClassViews(images) if family in ("biggan", "biggan_deep") else RealViews(images)


def train_learner(
    module: GeneratorLearner,
    source: Any,
    family: str,
    out: Path,
    resume: bool,
    *,
    watch: FrechetDistance | None = None,
    every: int | None = None,
    precision: Any = "32-true",
    callbacks: Sequence[Callback] = (),
    **trainer: Any,
) -> dict[str, Any]:
    """Fits what trains a generator, with pictures of its samples on the way.

    Args:
        module: What learns.
        source: What it learns from.
        family: Its name.
        out: Run folder.
        resume: Go on from the last checkpoint in `out`.
        watch: Measures the FID on the way.
        every: Steps between pictures and FIDs; a tenth of all if None.
        precision: Lightning's.
        callbacks: More of them.
        **trainer: Further arguments of `fit`.

    Returns:
        What results.json holds of it.
    """
    o = module.options
    module.generator.autocast = precision != "32-true"
    clock = time.perf_counter()
    history = fit(
        module,
        source,
        steps=o.steps,
        batch_size=o.batch_size,
        seed=o.seed,
        out=out,
        resume=resume,
        description=family,
        callbacks=[*callbacks, Samples(out / "images", every or max(1, o.steps // 10), o.seed, watch)],
        clip=o.clip,
        precision=precision,
        **trainer,
    )
    module.trained.autocast = False
    return {
        "family": family,
        "parameters": sum(parameter.numel() for parameter in module.trained.parameters()),
        "images": len(source),
        "options": asdict(o),
        "fid": watch.description if watch else None,
        "last": history.rows[-1] if history.rows else {},
        "steps": history.steps,
        "seconds": time.perf_counter() - clock,
        **runs.facts(),
    }


@rank_zero_only
def write_results(out: Path, results: dict[str, Any]) -> None:
    """Writes results.json."""
    write_text(out / "results.json", json.dumps(results, indent=1) + "\n")


def train_generator(
    family: str,
    images: Images,
    options: GeneratorOptions | None = None,
    out: Path = Path("runs/generator"),
    resume: bool = False,
    *,
    architecture: Mapping[str, Any] | None = None,
    discriminator: Mapping[str, Any] | None = None,
    vae: VAEOptions | None = None,
    gan: GANOptions | None = None,
    instances: InstanceOptions | None = None,
    distance: Callable[[], FrechetDistance | None] | None = None,
    every: int | None = None,
    **trainer: Any,
) -> Generator:
    """Trains a generator on images and saves it for `generators.load`.

    Args:
        family: One of `DEFAULTS`.
        images: To learn from.
        options: See `GeneratorOptions`; the family's `DEFAULTS` if None.
        out: Run folder: beside the generator `metrics.csv`, `results.json` and `images/samples-STEP.png`; of an InfoGAN-CR also
            what tells codes from images, in `encoder/`.
        resume: Go on from the last checkpoint in `out`, or return the generator that a finished run left there.
        architecture: Further arguments of the family's constructor.
        discriminator: Further arguments of the constructor of a GAN's discriminator.
        vae: What a VAE minimises; `VAEOptions()` if None.
        gan: What the networks of a GAN descend; `GANOptions()` if None, and with `InfoGANOptions` those of an InfoGAN-CR.
        instances: What an IC-GAN is conditioned on; `InstanceOptions()` if None.
        distance: Makes what measures the FID on the way, once all options are known to be right; None does not.
        every: Steps between pictures and FIDs; a tenth of all if None.
        **trainer: Further arguments of `train_learner` and `fit`.

    Raises:
        OptionError: If the family is not trained here, makes no images of this size, or has no such architecture; or `every` is
            not positive.
    """
    if resume and (out / "model.json").exists():
        return generators.load(out)
    require_positive(every=every)
    options = options or DEFAULTS.get(family, GeneratorOptions())
    instances = instances or InstanceOptions()
    views = _views(family, images, instances, out / "instances", options.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        module = learner(
            family, views, options, architecture or {}, discriminator or {}, vae or VAEOptions(), gan or GANOptions()
        )
    watch = distance() if distance else None
    results = train_learner(module, views, family, out, resume, watch=watch, every=every, **trainer)
    trained = module.trained.frozen()
    if isinstance(views, InstanceViews):
        trained = trained.with_instances(views.conditions[spread(views.conditions, instances.stored, options.seed)])
    write_results(out, {"kind": "generator", **results, "config": trained.config})
    if isinstance(module, InfoGANCR):
        rank_zero_only(encoders.save)(module.encoder(family, **(discriminator or {})), out / "encoder")
    rank_zero_only(generators.save)(trained, out)
    return trained
