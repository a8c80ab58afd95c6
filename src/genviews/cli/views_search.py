"""`genviews views search`."""

from pathlib import Path
from typing import Any, Literal

import torch

from .. import devices, encoders
from ..data import BadFile
from ..latents import SearchOptions, expert_distances
from ..randomness import sample_seeds
from ..reports import learned
from ..training.method import ViewOptions
from ..views import Search, render_learned
from .inverted import opened

EXPERTS = 256
"""Images that the automatic boundary is measured on."""


def search(
    generator: str,
    inverted: Path,
    encoder: Path,
    data: str,
    out: Path = Path("runs/learned"),
    resume: bool = False,
    target: Literal["reconstruction", "real"] = "reconstruction",
    threshold: float | None = None,
    augmentation: str | None = None,
    codec: Literal["raw", "jpeg", "latents"] = "raw",
    shard_size: int = 256,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
    on_bad_file: BadFile = "error",
    **options: Any,
) -> None:
    """Searches views of real images in a generator's latent space, at a distance in an encoder's eyes, into a store (W-search).

    A killed run goes on with --resume and ends with the same bytes. `genviews pretrain` takes the store.

    Examples:
      genviews views search G.pt runs/inverted runs/encoder cifar10 --out runs/learned
      genviews views search G.pt runs/inverted runs/encoder photos/ --boundary 0.3 --uniformity 0.5 --views 8 --codec jpeg

    Args:
        generator: A built-in name, a checkpoint file or a folder.
        inverted: By `genviews invert`, of this data in this generator.
        encoder: By `genviews pretrain`; distances are between its projector's embeddings.
        data: The data set that was inverted.
        out: The store; its page is report.html.
        resume: Go on with the store in `out`.
        target: What distances are from: the "reconstruction" (the authors' code) or the "real" image (the paper's text).
        threshold: Images reconstructed with a larger error get no views; the inversion's own if not given, inf for none.
        augmentation: T_x whose mean distance between views is the boundary where none is given; as pretraining has it by default.
        codec: "raw" (uint8 arrays), "jpeg" (a tenth of the space), "latents" (w alone; G runs when they are read).
        shard_size: Images in a shard; a shard is what an interruption loses.
        seed: Of the views.
        rank: Of this process among those that work on `out` together.
        world_size: How many those are.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    settings, device = SearchOptions(**options), devices.best()
    inversion, found, images = opened(inverted, generator, data, on_bad_file)
    found, f = found.to(device), encoders.embedder(encoder).to(device)
    if settings.boundary is None:
        some = torch.arange(min(EXPERTS, len(images)))
        augment = ViewOptions(augmentation=augmentation).augment(images.image_shape).to(device)
        experts = images[some][0].to(device).float() / 255
        settings = settings.measured(expert_distances(f, experts, augment, sample_seeds(seed, some).to(device)))
    flagged = inversion.flagged(threshold)
    store = render_learned(
        found,
        inversion.latents,
        images,
        out,
        Search(f, settings, target),
        keep=~flagged,
        seed=seed,
        codec=codec,
        shard_size=shard_size,
        rank=rank,
        world_size=world_size,
        resume=resume,
    )
    print(learned.finish(store, images, found, int(flagged.sum())))


COMMAND = search
