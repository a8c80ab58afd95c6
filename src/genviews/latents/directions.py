"""Directions of a latent space: what a shift along each of them does to the image is a factor, if they are well chosen."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import OptionError, ShapeError, require_positive

DirectionKind = Literal["unit", "orthonormal", "mlp", "projective"]


class Directions(nn.Module):
    """K directions of the latents of a generator, learned or found.

    Args:
        dim: D, of a latent.
        count: K.
        kind: How shifts (B, K) become displacements (B, D). "unit": by vectors of unit length. "orthonormal": by the first K
            columns of exp(L - L'), which are orthonormal whatever L is. "mlp": by Linear(K, hidden), LeakyReLU and
            Linear(hidden, D) without biases, so that no shift leads nowhere. "projective" (DisCo's code): by an affine map, then
            scaled to the length of the shifts; for one direction at a time and no bias, "unit".
        hidden: Width of "mlp"; D if None.
        space: The generator's latent space they are of, as `Generator.in_space` takes it.
        seed: Of the initialisation, from N(0, 0.1^2) (DisCo's code).

    Raises:
        OptionError: If K is not positive or, of orthonormal ones, above D; or the kind is none of these.
    """

    def __init__(
        self, dim: int, count: int, kind: DirectionKind = "unit", hidden: int | None = None, space: str = "z", seed: int = 0
    ):
        super().__init__()
        require_positive(dim=dim, count=count, hidden=hidden)
        if kind == "orthonormal" and count > dim:
            raise OptionError(
                f"count is {count}; a latent space of {dim} dimensions has no more than {dim} orthonormal directions"
            )
        self.dim, self.count, self.kind, self.space = dim, count, kind, space
        self.config: dict[str, Any] = {"dim": dim, "count": count, "kind": kind, "hidden": hidden, "space": space}
        if kind == "unit":
            self.weight = nn.Parameter(torch.empty(count, dim))
        elif kind == "orthonormal":
            self.log_mat_half = nn.Parameter(torch.empty(dim, dim))
        elif kind == "projective":
            self.linear = nn.Linear(count, dim)
        elif kind == "mlp":
            width = hidden or dim
            self.network = nn.Sequential(
                nn.Linear(count, width, bias=False), nn.LeakyReLU(0.2), nn.Linear(width, dim, bias=False)
            )
        else:
            raise OptionError(f"kind is {kind!r}; choose unit, orthonormal, mlp or projective")
        draw = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            nn.init.normal_(parameter, std=0.0 if name.endswith("bias") else 0.1, generator=draw)

    @classmethod
    def of(cls, vectors: Tensor, space: str = "z") -> "Directions":
        """Those of the vectors (K, D), frozen, of unit length.

        Raises:
            ShapeError: If they are not (K, D), or one has no direction.
        """
        if vectors.ndim != 2:
            raise ShapeError(f"directions are vectors (K, D), got {tuple(vectors.shape)}")
        if len(zeros := (vectors == 0).all(1).nonzero()):
            raise ShapeError(f"direction {int(zeros[0])} of {len(vectors)} is a vector of zeros; leave it out")
        found = cls(vectors.shape[1], vectors.shape[0], space=space)
        found.weight.data.copy_(F.normalize(vectors.detach().float(), dim=1))
        return found.eval().requires_grad_(False)

    def displacement(self, shifts: Tensor) -> Tensor:
        """Where shifts (B, K) along all directions at once lead, (B, D).

        Raises:
            ShapeError: If the shifts are not (B, K).
        """
        if shifts.ndim != 2 or shifts.shape[1] != self.count:
            raise ShapeError(f"the {self.count} directions take shifts (B, {self.count}), got {tuple(shifts.shape)}")
        with torch.autocast(shifts.device.type, enabled=False):
            if self.kind == "unit":
                return shifts @ F.normalize(self.weight, dim=1)
            if self.kind == "orthonormal":
                return shifts @ torch.matrix_exp(self.log_mat_half - self.log_mat_half.T)[:, : self.count].T
            if self.kind == "mlp":
                return self.network(shifts)
            return F.normalize(self.linear(shifts), dim=1) * torch.linalg.vector_norm(shifts, dim=1, keepdim=True)

    def forward(self, index: Tensor, shift: Tensor) -> Tensor:
        """The displacement of a shift along one direction each.

        Args:
            index: Of the direction, int64 (B,).
            shift: How far, (B,).

        Returns:
            (B, D), differentiable to the directions and the shift.
        """
        return self.displacement(F.one_hot(index, self.count) * shift[:, None])
