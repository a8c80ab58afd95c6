"""The page of a run folder, whatever ran there."""

from pathlib import Path

from ..errors import RunError
from . import autoencoder, cop_gen, detection, directions, generator, geometry, information, inversion, learned, ood, table, zoo
from .run_folder import read_results

KINDS = {
    "cop-gen": cop_gen,
    "generator": generator,
    "detection": detection,
    "directions": directions,
    "inversion": inversion,
    "ood": ood,
    "zoo": zoo,
    "mutual-information": information,
    "learned": learned,
    "autoencoder": autoencoder,
    "geometry": geometry,
    "table": table,
}


def write_report(run: Path) -> Path:
    """Writes `run`/report.html: one self-contained page of a run, finished or still going.

    Args:
        run: A run folder: results.json and, as far as the run has come, metrics.csv and pictures.

    Returns:
        The path of the page.

    Raises:
        RunError: If results.json is missing or of no kind that has a page, or a file of the run is garbled.
    """
    path = run / "results.json"
    kind = read_results(path, ("kind",))["kind"]
    if kind not in KINDS:
        raise RunError(f"{path} is of kind {kind!r}; give the folder of a run of kind {' or '.join(map(repr, KINDS))}")
    return KINDS[kind].write(run, read_results(path, KINDS[kind].NEEDED))
