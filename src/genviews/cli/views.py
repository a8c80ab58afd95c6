"""`genviews views`."""

from pathlib import Path
from typing import Literal

from .. import devices, generators, latents
from ..views import Store, export_cop_gen
from ..views import render as render_views


def render(
    generator: str,
    transform: str,
    out: Path = Path("runs/views"),
    resume: bool = False,
    pairs: int = 10_000,
    std: float = 0.2,
    truncation: float | None = None,
    codec: Literal["raw", "jpeg", "latents"] = "raw",
    batch_size: int = 64,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
) -> None:
    """Renders pairs G(z), G(T_z(z)) to disk; a killed run goes on with --resume and ends with the same bytes.

    Examples:
      genviews views render digits-flow runs/navigator --out runs/pairs
      genviews views render G.pt gaussian --std 0.25 --codec jpeg --pairs 50000

    Args:
        generator: A built-in name, a checkpoint file or a folder.
        transform: "identity", "gaussian", "spherical", "resample", or the file or folder of a navigator or of walks.
        out: The store.
        resume: Go on with the store in `out`.
        pairs: How many.
        std: Of "gaussian" and "spherical".
        truncation: psi of the latents.
        codec: "raw" (uint8 arrays), "jpeg" (a tenth of the space), "latents" (z and z' alone; G runs when they are read).
        batch_size: Pairs in a generator call.
        seed: Of the pairs.
        rank: Of this process among those that render into `out` together.
        world_size: How many those are.
    """
    named = {
        "identity": latents.Identity(),
        "gaussian": latents.Gaussian(std),
        "spherical": latents.Spherical(std),
        "resample": latents.Resample(truncation),
    }
    store = render_views(
        generators.load(generator).to(devices.best()),
        (named.get(transform) or latents.load(transform, latents.LatentTransform)).to(devices.best()),
        out,
        pairs=pairs,
        seed=seed,
        truncation=truncation,
        codec=codec,
        batch_size=batch_size,
        rank=rank,
        world_size=world_size,
        resume=resume,
    )
    print(f"{out}: {len(store):,} pairs" + (f", {len(store.missing)} shards to come from other ranks" if store.missing else ""))


def export(store: Path, out: Path, class_name: str = "n00000000", generator: str | None = None) -> None:
    """Writes a store in the folder layout of COP-Gen's own code: a PNG an image and a pickle of latents a folder.

    Examples:
      genviews views export runs/pairs runs/pairs-png

    Args:
        store: By `genviews views render`.
        out: A new folder.
        class_name: Name of the class folder of an unconditional generator.
        generator: Needed for a store of latents.
    """
    folder = export_cop_gen(Store(store), out, [class_name], generator=generators.load(generator) if generator else None)
    print(f"{out}: {len(folder)} pairs")


COMMAND = {"render": render, "export": export, "search": "views_search", "perturb": "views_perturb"}
