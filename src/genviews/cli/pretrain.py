"""`genviews pretrain`."""

from pathlib import Path
from typing import Any

from .. import data as datasets
from .. import generators, latents
from ..data import BadFile, Subset
from ..errors import OptionError
from ..training import PretrainOptions
from ..training import pretrain as pretrain_encoder
from ..views import (
    CopGenFolder,
    GeneratedViews,
    LearnedViews,
    PerturbedViews,
    RealViews,
    RenderedViews,
    SearchedViews,
    Store,
    Views,
)
from .inverted import opened


def learned(store: Store, images: str | None, drawn: int, generator: str | None, on_bad_file: BadFile) -> Views:
    """A store of views learned of real images."""
    if images is None:
        raise OptionError(f"{store.path} holds views learned of real images, which it needs too; name them by --images")
    found = generators.load(generator).in_space(store.config.generator.get("space", "z")) if generator else None
    return LearnedViews(datasets.load(images, store.image_shape[-1], on_bad_file=on_bad_file).train, store, drawn, found)


def moved(
    path: Path, images: str | None, generator: str | None, transform: str | None, drawn: int, on_bad_file: BadFile
) -> Views:
    """Views of inverted images that are rendered in the training step; images that the generator cannot make are left out."""
    if images is None or generator is None:
        raise OptionError(f"{path} holds latents of real images; name these by --images, and their --generator")
    inversion, found, data = opened(path, generator, images, on_bad_file)
    kept = (~inversion.flagged()).nonzero()[:, 0]
    if len(kept) < len(inversion.latents):
        print(f"{len(inversion.latents) - len(kept):,} of {len(inversion.latents):,} images are flagged and left out")
    if transform == "search":
        return SearchedViews(Subset(data, kept), inversion.latents[kept], found, drawn=drawn)
    move = latents.load(transform, latents.LatentTransform) if transform else latents.Gaussian(truncation=None)
    return PerturbedViews(Subset(data, kept), inversion.latents[kept], found, move, drawn)


def source(
    views: str,
    generator: str | None,
    transform: str | None,
    pairs: int,
    images: str | None,
    drawn: int,
    seed: int,
    on_bad_file: BadFile,
) -> Views:
    """What `views` names: a store, inverted images, a folder in COP-Gen's layout, "generated", or a data set."""
    path = Path(views)
    if (path / "latents.safetensors").exists():
        return moved(path, images, generator, transform, drawn, on_bad_file)
    if transform and views != "generated":
        raise OptionError(f"transform moves the latents of 'generated' views; {views} has its pairs already")
    if views == "generated":
        if generator is None:
            raise OptionError("views are 'generated' but no generator is named; pass --generator")
        move = latents.load(transform, latents.LatentTransform) if transform else latents.Gaussian()
        return GeneratedViews(generators.load(generator), move, pairs, seed)
    if (path / "store.json").exists():
        store = Store(path)
        if store.config.anchors:
            return learned(store, images, drawn, generator, on_bad_file)
        return RenderedViews(store, generators.load(generator) if generator else None)
    if path.is_dir() and next(path.glob("train/*/*_anchor.*"), None):
        return RenderedViews(CopGenFolder(path))
    return RealViews(datasets.load(views, on_bad_file=on_bad_file).train)


def pretrain(
    views: str,
    out: Path = Path("runs/encoder"),
    resume: bool = False,
    generator: str | None = None,
    transform: str | None = None,
    pairs: int = 100_000,
    images: str | None = None,
    drawn: int = 1,
    precision: str = "32-true",
    devices: str = "1",
    workers: int = 0,
    checkpoint_every: int = 200,
    log_every: int = 10,
    watch: str | None = None,
    on_bad_file: BadFile = "error",
    **options: Any,
) -> None:
    """Pretrains an encoder by contrastive learning on real images, rendered pairs, or pairs rendered on the fly.

    Methods: simclr, supcon (needs labels or conditions), nnclr, feature-transformation, moco, byol, simsiam, t-simclr, t-moco,
    viewmaker. images/views.png in the run folder shows what the encoder saw: images, and beside each its views.

    Learned views of a generator are assimilated by any method: one takes the place of a view (a1), or they attract both (a2).

    Examples:
      genviews pretrain digits --image_size 16 --augmentation mnist
      genviews pretrain photos/ --method moco --objective.queue 16384 --backbone resnet50 --precision bf16-mixed
      genviews pretrain runs/pairs --backbone resnet18-cifar --steps 10000 --out runs/encoder
      genviews pretrain generated --generator G.pt --transform runs/navigator --watch mnist --log_every 100
      genviews pretrain digits --method viewmaker --steps 60 --batch_size 128 --out runs/viewmaker
      genviews pretrain digits --augmentation runs/viewmaker/viewmaker
      genviews pretrain runs/learned --images photos/ --assimilate a2 --drawn 2
      genviews pretrain runs/inverted --images photos/ --generator G.pt --transform search --assimilate a2
      genviews pretrain cifar10 --method viewmaker --assimilate a2 --alpha 0.5 --objective.widths '[32,64,128]'

    Args:
        views: A data set ("digits", "mnist", ..., an npz file, an image folder), a store by `views render`, `search` or
            `perturb`, a folder by `invert`, whose latents then move in the training step, a folder in COP-Gen's layout, or
            "generated".
        out: Run folder; the encoder is its model.safetensors and model.json.
        resume: Go on with the run in `out`.
        generator: For "generated" views, stores of latents and inverted images.
        transform: A navigator or walks for "generated" views and inverted images; Gaussian steps of std 0.2 if not given. Of
            inverted images also "search": one signed gradient step against the encoder as it is.
        pairs: How many distinct "generated" pairs.
        images: The data set that was inverted, or of which a store by `views search` or `views perturb` holds views.
        drawn: How many of an image's learned views enter a step.
        precision: Lightning's: 32-true, bf16-mixed, 16-mixed.
        devices: How many, or "auto" for all.
        workers: Loader processes.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between rows of metrics.csv.
        watch: A labelled data set; metrics.csv then has 5-NN and linear accuracy within its training part.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    settings = PretrainOptions(**options)
    pretrain_encoder(
        source(views, generator, transform, pairs, images, drawn, settings.seed, on_bad_file),
        settings,
        out,
        resume,
        precision=precision,
        devices=devices,
        workers=workers,
        checkpoint_every=checkpoint_every,
        log_every=log_every,
        watch=datasets.load(watch, on_bad_file=on_bad_file).train if watch else None,
    )
    print(out)


COMMAND = pretrain
