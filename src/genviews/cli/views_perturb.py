"""`genviews views perturb`."""

from pathlib import Path
from typing import Literal

from .. import devices, latents
from ..data import BadFile
from ..reports import learned
from ..views import Perturb, render_learned
from .inverted import opened


def perturb(
    generator: str,
    inverted: Path,
    data: str,
    out: Path = Path("runs/learned"),
    resume: bool = False,
    views: int = 8,
    std: float = 0.2,
    shell: bool = False,
    threshold: float | None = None,
    codec: Literal["raw", "jpeg", "latents"] = "raw",
    shard_size: int = 256,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
    on_bad_file: BadFile = "error",
) -> None:
    """Perturbs the latents of real images at random, and renders the views into a store (W-perturb).

    A killed run goes on with --resume and ends with the same bytes. `genviews pretrain` takes the store.

    Examples:
      genviews views perturb G.pt runs/inverted cifar10 --out runs/learned
      genviews views perturb G.pt runs/inverted photos/ --std 0.3 --shell true --codec jpeg

    Args:
        generator: A built-in name, a checkpoint file or a folder.
        inverted: By `genviews invert`, of this data in this generator.
        data: The data set that was inverted.
        out: The store; its page is report.html.
        resume: Go on with the store in `out`.
        views: Of each image.
        std: Of the step in each dimension.
        shell: Make every step as long as a Gaussian one is on average, std * sqrt(D).
        threshold: Images reconstructed with a larger error get no views; the inversion's own if not given, inf for none.
        codec: "raw" (uint8 arrays), "jpeg" (a tenth of the space), "latents" (w alone; G runs when they are read).
        shard_size: Images in a shard; a shard is what an interruption loses.
        seed: Of the views.
        rank: Of this process among those that work on `out` together.
        world_size: How many those are.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    inversion, found, images = opened(inverted, generator, data, on_bad_file)
    flagged = inversion.flagged(threshold)
    store = render_learned(
        found.to(devices.best()),
        inversion.latents,
        images,
        out,
        Perturb(latents.Shell(std) if shell else latents.Gaussian(std, truncation=None), views),
        keep=~flagged,
        seed=seed,
        codec=codec,
        shard_size=shard_size,
        rank=rank,
        world_size=world_size,
        resume=resume,
    )
    print(learned.finish(store, images, found, int(flagged.sum())))


COMMAND = perturb
