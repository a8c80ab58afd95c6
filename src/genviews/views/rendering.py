"""Rendering to disk: pairs G(z), G(T_z(z)), or rows of views that something else draws."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..errors import OptionError, RunError
from ..generators.base import Generator
from ..latents.transforms import LatentTransform
from ..randomness import sample_seeds
from ..runs import flatten
from .shards import CODECS, write_array
from .sources import draw_condition, latent_pairs
from .store import Configuration, Store, render_images

PARTIAL = ".partial-"
Draw = Callable[[Tensor], dict[str, Tensor]]
"""Indices (n,) of rows -> their arrays by name, among them the latents float32 (n, V, D)."""

DTYPES = {torch.float32: "float32", torch.int64: "int64", torch.bool: "bool"}


def _attributes(module: nn.Module) -> dict[str, Any]:
    """The public attributes of a module that JSON can hold."""
    found = {}
    for name, value in vars(module).items():
        if not name.startswith("_") and name != "training":
            with suppress(TypeError, ValueError):
                found[name] = json.loads(json.dumps(value))
    return found


def describe(module: nn.Module) -> dict[str, Any]:
    """What tells a generator or a transform from another: its class, its settings, a hash of its parts' settings and weights."""
    digest = hashlib.sha256()
    for name, part in module.named_modules():
        digest.update(f"{name} {type(part).__name__} {_attributes(part)}".encode())
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return {"class": type(module).__name__, **_attributes(module), "sha256": digest.hexdigest()}


def render(
    generator: Generator,
    transform: LatentTransform,
    out: Path | str,
    *,
    pairs: int,
    seed: int = 0,
    truncation: float | None = None,
    conditions: Sequence[int] | None = None,
    codec: str = "raw",
    shard_size: int = 1024,
    batch_size: int = 64,
    rank: int = 0,
    world_size: int = 1,
    resume: bool = False,
    progress: bool = True,
) -> Store:
    """Renders pairs of images to a folder, for `Store` to read.

    Pair i is a function of (seed, i) alone. On one kind of machine the files are the same, byte by byte, for any number of
    ranks and after any interruption: a shard is always rendered in the same batches, under another name until it is complete.

    Args:
        generator: G, frozen, on the device to render on.
        transform: T_z, on the same device.
        out: The folder; empty or new, unless it holds this very store and `resume` is set.
        pairs: How many.
        seed: Of the pairs.
        truncation: psi of `Generator.sample_latents`.
        conditions: Of a conditional generator, the conditions to draw from, uniformly; None for all.
        codec: "raw" (uint8 arrays), "jpeg" (quality 90, a tenth of the space) or "latents" (z and z' alone, rendered when read).
        shard_size: Pairs in a shard; a shard is what an interruption loses.
        batch_size: Pairs in a call of G, which renders anchors and positives at once.
        rank: Which of the processes this is; it renders the shards rank, rank + world_size, ...
        world_size: How many processes render into `out`, each with its rank; any joins the store that another began.
        resume: Keep the finished shards in `out` and render the others.
        progress: Show a progress bar if the standard error is a terminal.

    Returns:
        The store; with several ranks its `missing` lists the shards that the others have yet to finish.

    Raises:
        OptionError: If an option is impossible.
        RunError: If `out` holds something else, or cannot be written (a full disk); what is rendered stays.
    """
    if truncation is not None and truncation < 0:
        raise OptionError(f"truncation is {truncation}; it scales the latents, so give 0 or more, or None for the plain prior")
    if conditions is not None and not (conditions and all(0 <= c < (generator.num_conditions or 0) for c in conditions)):
        raise OptionError(
            f"conditions {list(conditions)[:5]} must be some of the generator's {generator.num_conditions}; None takes all"
        )
    configuration = Configuration(
        generator=describe(generator),
        transform=describe(transform),
        pairs=pairs,
        seed=seed,
        truncation=truncation,
        num_conditions=generator.num_conditions,
        conditions=None if conditions is None else list(conditions),
        codec=codec,
        shard_size=shard_size,
        batch_size=batch_size,
        latent_dim=generator.latent_dim,
        image_shape=generator.image_shape,
    )

    def draw(indices: Tensor) -> dict[str, Tensor]:
        parts = [_draw(configuration, generator, transform, sample_seeds(seed, part)) for part in indices.split(batch_size)]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    return fill(Path(out), configuration, generator, draw, rank=rank, world_size=world_size, resume=resume, progress=progress)


def fill(
    out: Path,
    configuration: Configuration,
    generator: Generator,
    draw: Draw,
    *,
    rank: int = 0,
    world_size: int = 1,
    resume: bool = False,
    progress: bool = True,
) -> Store:
    """Renders the shards that a store lacks, each from what `draw` gives for its rows; see `render`.

    Raises:
        OptionError: If the configuration is impossible.
        RunError: If `out` holds something else, or cannot be written.
    """
    pairs, shard_size, batch_size = configuration.pairs, configuration.shard_size, configuration.batch_size
    if min(pairs, shard_size, batch_size) < 1 or not 0 <= rank < world_size:
        raise OptionError(
            f"{pairs=}, {shard_size=}, {batch_size=} must be positive, and {rank=} in [0, {world_size=}); correct them to render"
        )
    if configuration.codec not in CODECS:
        raise OptionError(f"codec is {configuration.codec!r}; choose one of {', '.join(CODECS)}")
    if configuration.codec == "jpeg" and generator.image_shape[0] not in (1, 3):
        raise OptionError(f"codec 'jpeg' stores images of 1 or 3 channels, not {generator.image_shape[0]}; use 'raw'")
    if generator.training:
        raise OptionError("the generator is in training mode, where an image may depend on its batch; pass generator.frozen()")
    try:
        store = _claim(out, configuration, rank, resume or world_size > 1)
        mine = [shard for shard in store.missing if shard % world_size == rank]
        for shard in tqdm(mine, desc=f"rendering {out}", unit="shard", disable=None if progress else True):
            _render_shard(store, shard, generator, draw)
    except OSError as error:
        raise RunError(
            f"{out} cannot be written ({error.strerror or error}); finished shards stay: make room and resume"
        ) from error
    return store


def _claim(out: Path, configuration: Configuration, rank: int, resume: bool) -> Store:
    """The store of this configuration in the folder `out`: a new one, or the one there."""
    out.mkdir(parents=True, exist_ok=True)
    entries = [path.name for path in out.iterdir()]  # first, for another rank may begin the store meanwhile
    if not (out / "store.json").exists():
        if strange := [name for name in entries if not name.startswith(PARTIAL)]:
            raise RunError(f"{out} holds {strange[0]} but no store; render into a new folder")
        partial = out / f"{PARTIAL}store-{rank}.json"
        partial.write_text(json.dumps(asdict(configuration), indent=2) + "\n")
        partial.replace(out / "store.json")
    elif not resume:
        raise RunError(f"{out} holds a store already; resume it or render into a new folder")
    store = Store(out)
    there, wanted = flatten(asdict(store.config)), flatten(asdict(configuration))
    for key in wanted | there:
        if there.get(key) != wanted.get(key):
            raise RunError(f"{out} was rendered with {key}={there.get(key)}, not {wanted.get(key)}; use that or a new folder")
    return store


def _render_shard(store: Store, shard: int, generator: Generator, draw: Draw) -> None:
    """Writes one shard under another name and then gives it its own, so that a shard is there whole or not at all."""
    config, codec = store.config, CODECS[store.config.codec]
    arrays = draw(torch.arange(shard * config.shard_size, min((shard + 1) * config.shard_size, config.pairs)))
    folder = store.path / f"{PARTIAL}{shard:05d}"
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        write_array(folder / f"{name}.npy", tuple(array.shape), DTYPES[array.dtype], [array])
    if codec is not None:
        latents, condition = arrays["latents"], arrays.get("condition")
        parts = torch.arange(len(latents), device=latents.device).split(config.batch_size)
        batches = (render_images(generator, latents[part], None if condition is None else condition[part]) for part in parts)
        codec.write(folder, (*latents.shape[:2], *config.image_shape), batches)
    folder.replace(store.shard_path(shard))


@torch.no_grad()
def _draw(config: Configuration, generator: Generator, transform: LatentTransform, seeds: Tensor) -> dict[str, Tensor]:
    """The latents z and z', (B, 2, D), and the condition, if any, of the samples `seeds` (B,)."""
    latents = torch.stack(latent_pairs(generator, transform, seeds, config.truncation), dim=1)
    if config.num_conditions is None:
        return {"latents": latents}
    return {"latents": latents, "condition": draw_condition(seeds, config.num_conditions, config.conditions).to(latents.device)}
