"""`genviews directions`."""

import json
from pathlib import Path
from typing import Any, Literal

import torch

from .. import data as datasets
from .. import devices, encoders, generators, latents
from ..checkpoints import write_text
from ..errors import RunError, require_positive
from ..evaluation.directions import Walks, directions_cloud, effects, factors_cloud, leading
from ..latents import Directions
from ..reports import save_walks, write_report
from ..reports.run_folder import read_results
from ..runs import is_first_process
from ..training.discovery import DISCOVERIES
from ..training.discovery import discover as discover_directions
from .changes import changed, given

Discovery = Literal["disco", "latent-discovery", "ganspace", "sefa", "deep-spectral"]


def discover(
    generator: str,
    method: Discovery = "disco",
    out: Path = Path("runs/directions"),
    resume: bool = False,
    count: int | None = None,
    space: str | None = None,
    steps: int | None = None,
    seed: int | None = None,
    settings: dict[str, Any] | None = None,
    precision: str = "32-true",
    compiled: bool = False,
    checkpoint_every: int = 200,
    log_every: int = 10,
) -> None:
    """Discovers directions of a latent space and an encoder whose codes follow them, and shows them as `directions show` does.

    Methods: disco and latent-discovery learn directions; ganspace, sefa and deep-spectral compute them.

    Examples:
      genviews directions discover fashion-stylegan2 --count 16 --steps 2000
      genviews directions discover G.pt --space w --settings.codes 64 --settings.architecture.width 16 --out runs/disco
      genviews directions discover runs/flow --method latent-discovery --out runs/latent-discovery

    Args:
        generator: A built-in name, a checkpoint file or a folder.
        method: How.
        out: Run folder; the directions are its model.safetensors and model.json, the encoder is in encoder/.
        resume: Go on with the run in `out`.
        count: How many directions; the method's own number if not given.
        space: The latent space; w if the generator has it, else z, if not given.
        steps: Optimiser steps: of disco's directions and encoder, of latent-discovery's directions (settings.encoder.steps are
            of its encoder), of the encoder alone where directions are computed.
        seed: Of everything.
        settings: Other options of the method, by the names in its results.json: `--settings.architecture.width 16`.
        precision: Lightning's: 32-true, bf16-mixed, 16-mixed; under bf16-mixed the generator renders in bfloat16 too.
        compiled: Run the generator under torch.compile.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between rows of metrics.csv.
    """
    options = DISCOVERIES[method][0]()
    trained = "steps" if hasattr(options, "steps") else "encoder.steps"
    told = given(count=count, space=space, **{trained: steps}, seed=seed)
    options = changed(options, told | (settings or {}))
    found = generators.load(generator, bf16=precision == "bf16-mixed").to(devices.best())
    trainer = {"precision": precision, "compiled": compiled, "checkpoint_every": checkpoint_every, "log_every": log_every}
    discover_directions(found, method, options, out, resume, **trainer)
    if is_first_process():
        show(generator, out)


def show(
    generator: str,
    run: Path,
    shift: float | None = None,
    anchors: int = 3,
    top: int = 8,
    samples: int = 16,
    seed: int = 0,
    gif: bool = False,
    data: str | None = None,
) -> None:
    """Shows what directions do: shifts along each and along two at once, how much and how purely, and what the code makes of it.

    Prints the best; report.html and images/ in the run folder have the pictures, results.json the numbers.

    Examples:
      genviews directions show fashion-stylegan2 runs/directions
      genviews directions show G.pt runs/disco --shift 6 --anchors 5 --top 20 --gif
      genviews directions show runs/shapes-vae runs/disco --data shapes3d

    Args:
        generator: What the directions were found in: a built-in name, a checkpoint file or a folder.
        run: Folder by `directions discover`.
        shift: How far; three standard deviations of the latents if not given.
        anchors: Images that are shifted, in the pictures.
        top: How many directions to show.
        samples: Images that are shifted both ways, for the numbers.
        seed: Of the anchors: they are always the same.
        gif: Animate the shifts too.
        data: A data set with known factors: the codes are pictured over three of them, not over three directions.
    """
    require_positive(shift=shift, anchors=anchors, top=top, samples=samples)
    path = run / "results.json"
    results = read_results(path, ("kind",))
    if results["kind"] != "directions":
        raise RunError(f"{run} is a run of kind {results['kind']!r}; give one of genviews directions discover")
    directions, encoder = latents.load(run, Directions), encoders.load(run / "encoder").to(devices.best())
    found = generators.load(generator).to(devices.best())
    measured = Walks(found, directions, samples, seed)
    shift = shift or measured.usual_shift
    seen = effects(measured, encoder, shift)
    ranking = seen.ranking()
    if data:
        codes = factors_cloud(encoder, datasets.factors(data, found.image_shape[-1]), found.device, seed=seed)
    elif min(directions.count, encoder.num_features) >= 3:
        codes = directions_cloud(measured, encoder, leading(ranking)[:3], torch.linspace(-shift, shift, 6))
    else:
        codes = None
    save_walks(run / "images", Walks(found, directions, anchors, seed), seen, codes, shift, top, gif)
    shown = {"generator": generator, "shift": shift, "top": top, "gif": gif, "samples": samples, "seed": seed, "data": data}
    results["shown"] = shown | {"ranking": ranking}
    write_text(path, json.dumps(results, indent=1) + "\n")
    for row in ranking[:top]:
        numbers = (f"{name} {row[name]:<8.3g}" for name in ("image", "code", "dimension", "domination", "agreement"))
        print(f"direction {row['direction']:<6}{' '.join(numbers)}")
    print(write_report(run), run, sep="\n")


COMMAND = {"discover": discover, "show": show}
