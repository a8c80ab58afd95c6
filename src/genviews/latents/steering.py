"""GenRep's steered walks (Jahanian et al. 2022): directions of the latent space that act as edits of the image."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import OptionError, ShapeError
from ..randomness import Rng, as_seeds, uniform
from .transforms import LatentTransform


def _colour(u: Tensor) -> Tensor:
    return u - 0.5


def _steps(count: int) -> Callable[[Tensor], Tensor]:
    """`count` even steps from -1 to 1, each as likely."""
    return lambda u: ((u * count).floor() * 2 + 1 - count) / (count - 1)


def _zoom(u: Tensor) -> Tensor:
    """ln of the side of what is shown: half of the time U(1/4, 1), else U(1, 4)."""
    return torch.where(u < 0.5, 0.25 + 1.5 * u, 6 * u - 2).log()


LENGTHS: dict[str, Callable[[Tensor], Tensor]] = {
    "brightness": _colour,
    "red": _colour,
    "green": _colour,
    "blue": _colour,
    "rotation_3d": _steps(13),
    "rotation_2d": _steps(13),
    "zoom": _zoom,
    "shift_x": _steps(21),
    "shift_y": _steps(21),
    "hue": lambda u: 0.2 * u - 0.1,
}
"""Edit -> the walk length alpha of a uniform number in [0, 1), growing with it; what they do is told by `augmentations.edit`."""


class Steering(LatentTransform):
    """z' = z + sum_k alpha_k w_k, one vector w_k an edit, shared by all latents; or z' = z + N(z, alpha), N an MLP.

    Args:
        dim: D.
        edits: The edits, of `LENGTHS`, in the order of the vectors.
        hidden: Width of the MLP's hidden layer, Linear(dim + K, hidden) - ReLU - Linear(hidden, dim); None for vectors.
        seed: Of the initialisation: vectors are drawn from N(0, 0.1^2), the MLP's weights as PyTorch does.

    Raises:
        OptionError: If an edit is unknown or named twice.
    """

    def __init__(self, dim: int, edits: Sequence[str], hidden: int | None = None, seed: int = 0):
        super().__init__()
        if unknown := [name for name in edits if name not in LENGTHS]:
            raise OptionError(f"edit {unknown[0]!r} is unknown; choose from {', '.join(LENGTHS)}")
        if not edits or len({*edits}) < len(edits):
            raise OptionError(f"edits are {', '.join(edits) or 'none'}; name one or more, each once")
        self.dim, self.edits = dim, tuple(edits)
        self.config: dict[str, Any] = {"dim": dim, "edits": [*edits], "hidden": hidden}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if hidden is None:
                self.walks = nn.Parameter(0.1 * torch.randn(len(edits), dim))
            else:
                self.network = nn.Sequential(nn.Linear(dim + len(edits), hidden), nn.ReLU(), nn.Linear(hidden, dim))

    def draw(self, seeds: Tensor) -> Tensor:
        """Random walk lengths alpha, float32 (B, K), of the seeds (B,), in training and for views alike.

        They are GenRep's: rotations and shifts in even steps over [-1, 1], colours U(-0.5, 0.5), half of the zooms ln U(1/4, 1)
        and half ln U(1, 4). (For views, its code walks five times as far along rotation_3d as it trained to.)
        """
        columns = uniform(seeds, len(self.edits)).unbind(1)
        return torch.stack([LENGTHS[name](u) for name, u in zip(self.edits, columns, strict=True)], dim=1)

    def displacement(self, latents: Tensor, alphas: Tensor) -> Tensor:
        """z' - z of latents (B, D) that walk by alphas (B, K), (B, D).

        Raises:
            ShapeError: If they are of other shapes.
        """
        expected = (len(latents), self.dim), (len(latents), len(self.edits))
        if (latents.shape, alphas.shape) != expected:
            raise ShapeError(
                f"the walks take latents (B, {self.dim}) and alphas (B, {len(self.edits)}), got {tuple(latents.shape)} and "
                f"{tuple(alphas.shape)}; train them for this G and give a length for each of {', '.join(self.edits)}"
            )
        with torch.autocast(latents.device.type, enabled=False):
            if self.config["hidden"] is None:
                return alphas @ self.walks
            return self.network(torch.cat([latents, alphas], dim=1))

    def forward(self, latents: Tensor, rng: Rng = None) -> Tensor:
        """Each latent (B, D) walks by lengths that are its own; see `draw`."""
        return latents + self.displacement(latents, self.draw(as_seeds(rng, len(latents), latents.device)))
