"""The navigator T_z of COP-Gen (Li et al. 2022): z' = z + T(z)."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import OptionError, ShapeError
from ..randomness import Rng
from .transforms import LatentTransform


def distance(first: Tensor, second: Tensor) -> Tensor:
    """d(z, z') = ||z - z'|| / sqrt(D), (B, D), (B, D) -> (B,): the root mean square per dimension, to compare with a std."""
    return (first - second).square().mean(dim=1).sqrt()


class Navigator(LatentTransform):
    """z' = z + T(z), T = Linear(dim, hidden) - ReLU - Linear(hidden, dim), or one Linear.

    Args:
        dim: D.
        hidden: Width of the hidden layer; D if None, as in the paper.
        linear: One Linear without a hidden layer (the paper's linear T_z).
        radius: delta: a displacement with d(z, z') > delta is scaled back onto the ball; None leaves it free.
        init: "default" is PyTorch's (the released code), "he" is He's normal initialisation (the supplement).
        init_std: Scale the last layer so that T(z) has this std over z ~ N(0, I) at the start (the paper's MNIST run: 0.01).
        seed: Of the initialisation.
    """

    def __init__(
        self,
        dim: int,
        hidden: int | None = None,
        linear: bool = False,
        radius: float | None = None,
        init: Literal["default", "he"] = "default",
        init_std: float | None = None,
        seed: int = 0,
    ):
        super().__init__()
        if init not in ("default", "he"):
            raise OptionError(f"init is {init!r}; choose 'default' or 'he'")
        if radius is not None and radius <= 0:
            raise OptionError(f"radius is {radius}; it must be positive")
        hidden = hidden or dim
        self.dim, self.radius = dim, radius
        self.config: dict[str, Any] = {"dim": dim, "hidden": hidden, "linear": linear, "radius": radius}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers: list[nn.Module] = [nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim)]
            if linear:
                layers = [nn.Linear(dim, dim)]
            self.walk = nn.Sequential(*layers)
            if init == "he":
                for layer in layers[::2]:
                    nn.init.kaiming_normal_(layer.get_parameter("weight"))
                    nn.init.zeros_(layer.get_parameter("bias"))
            if init_std is not None:
                with torch.no_grad():
                    scale = init_std / self.walk(torch.randn(4096, dim)).std()
                    for parameter in layers[-1].parameters():
                        parameter.mul_(scale)

    def displacement(self, latents: Tensor) -> Tensor:
        """T(z), (B, D) -> (B, D), inside the ball if there is one."""
        with torch.autocast(latents.device.type, enabled=False):
            shift = self.walk(latents)
        if self.radius is None:
            return shift
        length = shift.square().mean(dim=1, keepdim=True).clamp_min(1e-24).sqrt()
        return shift * (self.radius / length).clamp(max=1)

    def forward(self, latents: Tensor, rng: Rng = None) -> Tensor:
        """z' = z + T(z); deterministic, so `rng` is not used.

        Raises:
            ShapeError: If the latents are not (B, dim).
        """
        if latents.ndim != 2 or latents.shape[1] != self.dim:
            raise ShapeError(f"the navigator moves latents (B, {self.dim}), got {tuple(latents.shape)}; train one for this G")
        return latents + self.displacement(latents)
