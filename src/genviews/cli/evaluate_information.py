"""`genviews evaluate mutual-information`."""

import json
from dataclasses import asdict
from pathlib import Path

from .. import data as datasets
from .. import devices, encoders, generators, runs
from ..augmentations import create
from ..checkpoints import write_text
from ..data import BadFile, Images
from ..encoders import Embedder
from ..errors import OptionError, require_positive
from ..evaluation import Kind, correlations
from ..evaluation import mutual_information as estimate
from ..latents import Gaussian
from ..metrics import CriticOptions
from ..reports import write_report
from ..reports.information import as_text, save_pictures
from ..training.discovery_parts import in_space
from ..views import GeneratedImages, GeneratedViews, RealViews
from .pretrain import source

CRITIC = CriticOptions()


def mutual_information(
    encoder: Path,
    data: str,
    out: Path = Path("runs/information"),
    resume: bool = False,
    augmentations: tuple[str, ...] = (),
    generator: str | None = None,
    space: str | None = None,
    stds: tuple[float, ...] = (0.1, 0.2, 0.4),
    stores: tuple[Path, ...] = (),
    samples: int = 10_000,
    temperature: float = 0.1,
    critic: CriticOptions = CRITIC,
    seed: int = 0,
    batch_size: int = 256,
    on_bad_file: BadFile = "error",
) -> None:
    """How much two views of an image tell of each other, by kind of view, against how far apart an encoder puts them.

    Kinds are augmentations of the data; with a generator, of its samples too, and Gaussian steps in its latent space; and stores
    of views. Each has MINE, InfoNCE's bound, the inner-product proxy and the mean distance of embeddings; three kinds or more
    have the correlations of estimates with distance.

    Examples:
      genviews evaluate mutual-information runs/encoder digits --augmentations '[weak, mnist]' --critic.batch_size 64
      genviews evaluate mutual-information runs/encoder mnist --generator G.pt --stds '[.1, .2, .4]' --stores '[runs/pairs]'

    Args:
        encoder: Folder by `genviews pretrain`; its projector's output is compared, or the representation if it has none.
        data: A data set by name or path, at its own size; the training part.
        out: Run folder, of results.json, report.html and images.
        resume: Go on with the run in `out`.
        augmentations: T_x by name, a kind each; MNIST's for grey, SimCLR's for colour images if none is given.
        generator: A built-in name, a checkpoint file or a folder.
        space: The generator's latent space; w if it has it, else z, if not given.
        stds: Of Gaussian steps in the latent space, a kind each.
        stores: Of views on disk, a kind each.
        samples: Pairs of each kind at most; all kinds have as many as the smallest.
        temperature: Of InfoNCE's bound.
        critic: How MINE's critic learns.
        seed: Of the views and the critic.
        batch_size: Pairs at once; the views are the same for any.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    for std in stds:
        require_positive(stds=std)
    found = encoders.embedder(encoder).to(devices.best())
    images = datasets.load(data, on_bad_file=on_bad_file).train
    names = augmentations or ("mnist" if images.image_shape[0] == 1 else "simclr",)
    kinds = _augmented(images, names, found)
    if generator:
        g, _ = in_space(generators.load(generator).to(devices.best()), space)
        kinds |= {f"{name} of G(z)": kind for name, kind in _augmented(GeneratedImages(g, samples, seed), names, found).items()}
        kinds |= {f"T_z std {std:g}": Kind(GeneratedViews(g, Gaussian(std), samples, seed, anew=True)) for std in stds}
    for store in stores:
        stored = source(str(store), generator, None, samples, images=data, drawn=1, seed=seed, on_bad_file=on_bad_file)
        if type(stored) is RealViews:
            raise OptionError(f"{store} is no store of views; give folders by views render, search or perturb")
        kinds[str(store)] = Kind(stored)
    table = estimate(found, kinds, samples=samples, temperature=temperature, critic=critic, seed=seed, batch_size=batch_size)
    correlated = correlations(table)
    results = {
        "kind": "mutual-information",
        "encoder": str(encoder),
        "data": data,
        "generator": generator,
        "pairs": len(next(iter(table.values())).distances),
        "temperature": temperature,
        "critic": asdict(critic),
        "kinds": {name: row.numbers() for name, row in table.items()},
        "correlations": {name: row._asdict() for name, row in correlated.items()},
        **runs.facts(),
    }
    save_pictures(out / "images", found, kinds, table, seed)
    write_text(out / "results.json", json.dumps(results, indent=1) + "\n")
    print(as_text(table, correlated), f"{results['pairs']:,} pairs of each kind", write_report(out), out, sep="\n")


def _augmented(images: Images, names: tuple[str, ...], embedder: Embedder) -> dict[str, Kind]:
    """A kind for each T_x, at the size that the encoder takes."""
    size = getattr(embedder.encoder, "image_size", None)
    return {name: Kind(RealViews(images), create(name, size)) for name in names}


COMMAND = mutual_information
