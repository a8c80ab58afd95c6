"""`genviews evaluate disentanglement`."""

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from .. import data as datasets
from .. import devices, encoders, evaluation, generators
from ..checkpoints import read_json, write_text
from ..encoders import Encoder
from ..errors import CheckpointError, OptionError
from ..evaluation.disentanglement import Metric
from ..generators import Generator
from ..metrics.disentanglement import Estimator


def disentanglement(
    encoder: str,
    data: str,
    metrics: tuple[Metric, ...] = ("mig", "dci", "factor_vae", "beta_vae"),
    image_size: int | None = None,
    samples: int = 10_000,
    estimator: Estimator = "binned",
    seed: int = 0,
    batch_size: int = 256,
    out: Path | None = None,
) -> None:
    """An encoder's codes against the factors that made the images: MIG, DCI, the FactorVAE and beta-VAE scores.

    Examples:
      genviews evaluate disentanglement runs/disco shapes3d
      genviews evaluate disentanglement runs/encoder dsprites --image_size 32 --metrics '[mig, modularity]'
      genviews evaluate disentanglement vae.pt cars3d/ --samples 2000 --out result.json

    Args:
        encoder: Folder of directions with their encoder, or of an encoder; a file of DisCo's encoder; or a generator that encodes
            (a VAE or a flow).
        data: A data set with known factors by name or path: shapes3d, dsprites, noisy-dsprites, 3D Shapes' .h5 file, dSprites' or
            MPI3D's .npz, a folder of Cars3D's .mat files.
        metrics: Of mig, dci, factor_vae, beta_vae, modularity, sap (which takes minutes).
        image_size: Side in pixels that the images are made or resized to; if not given, the encoder's, or else the data's own.
        samples: Codes or batches to fit to, with half as many to test on; the field's is 10,000.
        estimator: DCI's trees: "binned", or "gradient_boosting" of scikit-learn, which takes many minutes.
        seed: Of all draws.
        batch_size: Images at once.
        out: A JSON file for the result.
    """
    found = _open(encoder)
    size = image_size or (found.image_shape[-1] if isinstance(found, Generator) else found.image_size)
    result = evaluation.disentanglement(
        found.to(devices.best()),
        datasets.factors(data, size),
        metrics=metrics,
        samples=samples,
        estimator=estimator,
        seed=seed,
        batch_size=batch_size,
    )
    rows = {
        "MIG": result.mig,
        "DCI disentanglement": result.dci and result.dci.disentanglement,
        "DCI completeness": result.dci and result.dci.completeness,
        "DCI informativeness": result.dci and result.dci.informativeness,
        "FactorVAE score": result.factor_vae,
        "beta-VAE score": result.beta_vae,
        "modularity": result.modularity,
        "SAP": result.sap,
    }
    for name, value in rows.items():
        if value is not None:
            print(f"{name:<22}{value:.3f}")
    constant = f", {len(result.constant)} of them constant" if result.constant else ""
    print(f"{result.dimensions} dimensions{constant}; {samples:,} samples; {result.images:,} images encoded")
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, json.dumps(asdict(result), indent=1) + "\n")


def _open(name: str) -> Encoder | Generator:
    """The encoder in a folder, beside directions too, or in a file of DisCo's; or the generator of this name."""
    beside = Path(name) / "encoder"
    folder = beside if beside.is_dir() else Path(name)
    if (folder / "model.json").is_file() and read_json(folder / "model.json").get("kind") == "encoder":
        return encoders.load(folder)
    if Path(name).is_file():
        with suppress(CheckpointError):
            return encoders.load(name)
    generator = generators.load(name)
    if not generator.encodes:
        raise OptionError(f"{name} is a {type(generator).__name__}, which has no encoder; name an encoder, a VAE or a flow")
    return generator


COMMAND = disentanglement
