"""What the metrics of sets of points take."""

from torch import Tensor

from ..errors import DataError


def require_points(**sets: Tensor) -> None:
    """Refuses what is not finite (N, D) with N > 1.

    Raises:
        DataError: Names the first such set and what is wrong with it.
    """
    for name, points in sets.items():
        if points.ndim != 2 or len(points) < 2:
            raise DataError(f"{name} have shape {tuple(points.shape)}; give (N, D) with two samples or more")
        if not (finite := points.isfinite().all(1)).all():
            raise DataError(f"{name} have a NaN or infinite value in row {int(finite.int().argmin())}; look at what made them")


def require_paired(**sets: Tensor) -> None:
    """Refuses, besides, sets of different sizes, whose rows cannot belong together.

    Raises:
        DataError: As `require_points`, or names the sizes.
    """
    require_points(**sets)
    if len({len(points) for points in sets.values()}) > 1:
        sizes = ", ".join(f"{len(points)} {name}" for name, points in sets.items())
        raise DataError(f"there are {sizes}; give as many of each, row by row")
