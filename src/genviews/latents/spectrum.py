"""What the closed-form ways to discover directions return: vectors of a latent space, the strongest first."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import NonFiniteError, OptionError
from .directions import Directions

_MOST, _NOTHING = 64, 1e-12


class Spectrum(NamedTuple):
    """Vectors and how strong each is.

    Attributes:
        vectors: (K, D), of unit length.
        values: Eigenvalues (K,), falling.
    """

    vectors: Tensor
    values: Tensor

    @classmethod
    def of(cls, matrix: Tensor) -> "Spectrum":
        """The eigenvectors of a symmetric matrix (D, D).

        Raises:
            NonFiniteError: If it holds NaN or infinite numbers.
        """
        if not matrix.isfinite().all():
            raise NonFiniteError("the generator makes NaN or infinite numbers, so that no directions are found; try another seed")
        values, vectors = torch.linalg.eigh(matrix)
        return cls(vectors.T.flip(0), values.flip(0))

    def directions(self, count: int | None = None, space: str = "z") -> Directions:
        """The strongest `count`, or all that are but no more than 64 if None; frozen.

        Raises:
            OptionError: If there are not as many whose eigenvalue is above 1e-12 of the largest.
        """
        there = int((self.values > _NOTHING * self.values[0]).sum())
        wanted = min(there, _MOST) if count is None else count
        if not 0 < wanted <= there:
            dim = self.vectors.shape[1]
            raise OptionError(f"count is {wanted}; in the {dim} dimensions of {space} there are {there} such directions")
        return Directions.of(self.vectors[:wanted], space)
