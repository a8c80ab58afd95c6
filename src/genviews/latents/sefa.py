"""SeFa (Shen and Zhou 2021): the latent directions that the weights which meet them first enlarge most."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ShapeError
from .spectrum import Spectrum


def sefa(weights: Sequence[Tensor], normalise: bool = True) -> Spectrum:
    """The eigenvectors of A^T A (eq. 6), A the rows of all weights.

    Args:
        weights: Matrices (outputs, D) of one layer or more, as `Generator.first_weights` gives them.
        normalise: Give each output's weights unit length, as the authors' code does; rosinality's does not.

    Raises:
        ShapeError: If they are no matrices of the same D.
    """
    if not weights or any(weight.ndim != 2 or weight.shape[1] != weights[0].shape[1] for weight in weights):
        raise ShapeError(f"weights are {[tuple(weight.shape) for weight in weights]}; give matrices (outputs, D) of one D")
    matrix = torch.cat(list(weights)).detach().double()
    if normalise:
        matrix = F.normalize(matrix, dim=1)
    return Spectrum.of(matrix.T @ matrix)
