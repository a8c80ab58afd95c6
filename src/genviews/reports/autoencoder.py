"""The report of an autoencoder's training, or of a prior's over its codes: reconstructions, samples, FIDs."""

from pathlib import Path
from typing import Any

from .generator import NEEDED, training_page
from .page import Figure, Number, Section, picture

PICTURES = {
    "reconstructions": "Test images, and their reconstructions below.",
    "posterior": "Samples of the aggregate posterior: latents of training images, decoded.",
    "prior": "Samples of the prior.",
}
"""Files in images/ and what they show."""

MEASURED = {
    "fid": "FID of the prior",
    "posterior_fid": "FID of the aggregate posterior",
    "reconstruction_fid": "FID of reconstructions",
    "perplexity": "perplexity of the codes",
}

COLLAPSED = 2.0
"""A perplexity below which the page says that the codebook has collapsed."""

__all__ = ["NEEDED", "write"]


def write(run: Path, results: dict[str, Any]) -> Path:
    """The page of an autoencoder's training; see `write_report`."""
    measured = results.get("measured") or {}
    headline = [
        Number(f"{measured[name]:.4g}", title, measured["features"] if name == "fid" else "")
        for name, title in MEASURED.items()
        if measured.get(name) is not None
    ]
    collapsed = measured.get("perplexity") is not None and measured["perplexity"] < COLLAPSED
    said = ["The codebook has collapsed: nearly all places of all images have one code." if collapsed else ""]
    paths = {run / "images" / f"{name}.png": caption for name, caption in PICTURES.items()}
    figures = [Figure([picture(path, caption, width=600)], caption) for path, caption in paths.items() if path.exists()]
    command = "autoencoder " + ("prior" if "prior" in results["stage"] else "train")
    section = Section("Reconstructions and samples", said, figures)
    return training_page(run, results, "autoencoder", command, [section], headline, f" Trained: {results['stage']}.")
