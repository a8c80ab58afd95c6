"""Ways to discover directions in the latent space of a generator, each with an encoder whose codes follow them."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from .. import encoders, latents, runs
from ..checkpoints import write_text
from ..encoders import Encoder
from ..errors import OptionError
from ..generators.base import Generator
from ..latents import Directions
from .closed_form import DeepSpectralOptions, GANSpaceOptions, SeFaOptions, deep_spectral, ganspace, sefa
from .disco import DiscoOptions, disco
from .latent_discovery import LatentDiscoveryOptions, latent_discovery

Discovered = tuple[Directions, Encoder]

DISCOVERIES: dict[str, tuple[type, Callable[..., Discovered]]] = {
    "disco": (DiscoOptions, disco),
    "latent-discovery": (LatentDiscoveryOptions, latent_discovery),
    "ganspace": (GANSpaceOptions, ganspace),
    "sefa": (SeFaOptions, sefa),
    "deep-spectral": (DeepSpectralOptions, deep_spectral),
}
"""Name -> its options, and `(generator, options, out, resume, **trainer) -> directions and encoder`, both frozen."""


def discover(
    generator: Generator,
    method: str,
    options: Any = None,
    out: Path = Path("runs/directions"),
    resume: bool = False,
    **trainer: Any,
) -> Discovered:
    """Discovers directions and keeps them.

    Args:
        generator: G.
        method: Of `DISCOVERIES`.
        options: The method's; its defaults if None.
        out: Run folder: the directions (`model.safetensors` and `model.json`), the encoder in `encoder/`, `metrics.csv` and
            `results.json`.
        resume: Go on from the last checkpoint in `out`, or return what a finished run left there.
        **trainer: Further arguments of `fit`.

    Returns:
        Both frozen.

    Raises:
        OptionError: If there is no such method, or the generator does not admit it.
    """
    if method not in DISCOVERIES:
        raise OptionError(f"method is {method!r}; choose {', '.join(DISCOVERIES)}")
    if resume and (out / "model.json").exists():
        return latents.load(out, Directions), encoders.load(out / "encoder")
    kind, function = DISCOVERIES[method]
    options = options or kind()
    clock = time.perf_counter()
    directions, encoder = function(generator, options, out, resume, **trainer)
    results = {
        "kind": "directions",
        "method": method,
        "space": directions.space,
        "options": asdict(options),
        "seconds": time.perf_counter() - clock,
        **runs.facts(),
    }
    rank_zero_only(_keep)(directions, encoder, results, out)
    return directions, encoder


def _keep(directions: Directions, encoder: Encoder, results: dict[str, Any], out: Path) -> None:
    """Writes the directions last, for they mark a finished run."""
    encoders.save(encoder, out / "encoder")
    write_text(out / "results.json", json.dumps(results, indent=1, default=str) + "\n")
    latents.save(directions, out)
