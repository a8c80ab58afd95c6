"""Data sets with known factors, by name or path."""

from pathlib import Path

from ..errors import OptionError, require_positive
from .dsprites import dsprites, noisy_dsprites
from .factor_dataset import FactorDataset
from .factor_files import cars3d, hdf5, npz
from .shapes3d import shapes3d

RENDERED = {"shapes3d": shapes3d, "dsprites": dsprites, "noisy-dsprites": noisy_dsprites}


def factors(name: str | Path, image_size: int | None = None) -> FactorDataset:
    """Opens a data set with known factors.

    Args:
        name: "shapes3d", "dsprites" or "noisy-dsprites", which are rendered; 3D Shapes' .h5 file, dSprites' or MPI3D's npz, a
            folder of Cars3D's .mat files; or an npz file of `images` with `factors` or `factor_sizes` (`factor_files.npz`).
        image_size: Pixels a side; None for a file's own, 64 for rendered ones and Cars3D.

    Raises:
        OptionError: If the name is none of these, or the size one that cannot be made.
        DataError: If the data cannot be read, or are of another set.
    """
    require_positive(image_size=image_size)
    path = Path(name).expanduser()
    if str(name) in RENDERED:
        return RENDERED[str(name)](image_size or 64)
    if path.is_dir():
        return cars3d(path, image_size or 64)
    readers = {".h5": hdf5, ".npz": npz}
    if path.suffix not in readers or not path.is_file():
        raise OptionError(
            f"data {str(name)!r} is neither {', '.join(RENDERED)} nor an .h5 or .npz file or a folder of .mat files that exists"
        )
    whole = readers[path.suffix](path)
    return whole if image_size is None else whole.resized(image_size)
