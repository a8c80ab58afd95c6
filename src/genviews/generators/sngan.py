"""The residual generator of SNGAN (Miyato et al. 2018), as GANLatentDiscovery (Voynov and Babenko 2020) and DisCo publish it."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..checkpoints import is_state_dict
from ..errors import OptionError
from .base import Generator, Parts
from .sizes import doublings, last_index

_SIDE = 4


def _conv(inputs: int, outputs: int, gain: float) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.xavier_uniform_(conv.weight, gain)
    return conv


class _Block(nn.Module):
    """Features (B, inputs, H, W) -> (B, outputs, 2H, 2W)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.model = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            _conv(inputs, outputs, gain=2**0.5),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            _conv(outputs, outputs, gain=2**0.5),
        )
        change = [] if inputs == outputs else [_conv(inputs, outputs, gain=1)]
        self.bypass = nn.Sequential(nn.Upsample(scale_factor=2), *change)

    def forward(self, features: Tensor) -> Tensor:
        return self.model(features) + self.bypass(features)


class SNGAN(Generator):
    """A linear layer to 4 x 4, residual blocks that double the size, and a convolution with tanh.

    Parameter names are GANLatentDiscovery's, without the second names that its blocks give their convolutions.

    Args:
        image_shape: (C, H, W), square, of 8, 16, 32, ... pixels.
        latent_dim: D.
        channels: Of the features at 4 x 4 and after each block; None for 32 throughout. The published generators have 256
            throughout at 32 px and 1024, 512, 256, 128, 64 at 64 px.

    Raises:
        OptionError: If the channels are not one more than the blocks.
    """

    files: ClassVar[tuple[str, ...]] = ("generator.pt",)

    telltales = frozenset({"model.0.weight", "model.2.model.0.running_mean", "model.2.model.6.weight"})

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        latent_dim: int = 128,
        channels: Sequence[int] | None = None,
    ):
        super().__init__()
        blocks = doublings(image_shape)
        colours, size, _ = image_shape
        channels = [32] * (blocks + 1) if channels is None else list(channels)
        if len(channels) != blocks + 1:
            raise OptionError(f"channels is {channels}; images of {size} pixels take {blocks + 1}, for sizes 4 to {size}")
        self.image_shape = (colours, size, size)
        self.latent_dim = latent_dim
        self.config = {"image_shape": self.image_shape, "latent_dim": latent_dim, "channels": channels}
        first = nn.Linear(latent_dim, channels[0] * _SIDE**2)
        nn.init.xavier_uniform_(first.weight)
        self.model = nn.Sequential(
            first,
            nn.Unflatten(1, (channels[0], _SIDE, _SIDE)),
            *(_Block(*sizes) for sizes in pairwise(channels)),
            nn.BatchNorm2d(channels[-1]),
            nn.ReLU(),
            _conv(channels[-1], colours, gain=1),
            nn.Tanh(),
        )

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        if not is_state_dict(content):
            return None
        state = content if "model.0.weight" in content else {f"model.{name}": tensor for name, tensor in content.items()}
        if not cls.telltales <= state.keys():
            return None
        blocks = range(2, last_index(r"model\.(\d+)\.model\.", state) + 1)
        channels = [state["model.2.model.3.weight"].shape[1], *(len(state[f"model.{i}.model.6.weight"]) for i in blocks)]
        colours, size = len(state[f"model.{len(blocks) + 4}.weight"]), _SIDE << len(blocks)
        config = {
            "image_shape": (colours, size, size),
            "latent_dim": state["model.0.weight"].shape[1],
            "channels": channels,
        }
        return config, {name: tensor for name, tensor in state.items() if not _is_second_name(name, state)}

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        return (self.model(latents) + 1) / 2

    def first_weights(self) -> list[Tensor]:
        return [self.model.get_parameter("0.weight")]


def _is_second_name(name: str, state: dict[str, Tensor]) -> bool:
    """Whether it is a block's `conv1` or `conv2`, and the same tensor is there as a layer of its `model`."""
    first = name.replace(".conv1.", ".model.3.").replace(".conv2.", ".model.6.")
    return first != name and first in state and torch.equal(state[first], state[name])
