"""A fully connected GAN generator saved as the bare state dict of its nn.Sequential (csinva/gan-vae-pretrained-pytorch)."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..checkpoints import is_state_dict
from ..errors import CheckpointError, OptionError
from .base import Generator, Parts


class MLPGAN(Generator):
    """Linear layers with ReLU between them and tanh at the end.

    Args:
        widths: Sizes from the latent to the flattened image.
        image_shape: (C, H, W); None for a square grey image.

    Raises:
        OptionError: If there are fewer than two widths, or the last is not that of the image.
    """

    def __init__(self, widths: Sequence[int] = (64, 256, 256, 784), image_shape: tuple[int, int, int] | None = None):
        super().__init__()
        if len(widths) < 2:
            raise OptionError(f"widths is {widths}; give the sizes from the latent to the image, two or more")
        side = math.isqrt(widths[-1])
        channels, height, width = image_shape or (1, side, side)
        self.image_shape = (channels, height, width)
        if math.prod(self.image_shape) != widths[-1]:
            raise OptionError(
                f"image_shape {self.image_shape} is not {widths[-1]} numbers, the generator's output; give image_shape"
            )
        self.latent_dim = widths[0]
        self.config = {"widths": list(widths), "image_shape": self.image_shape}
        layers = [layer for sizes in pairwise(widths) for layer in (nn.Linear(*sizes), nn.ReLU())]
        self.net = nn.Sequential(*layers[:-1])

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        depth = (len(content) + 1) // 2 if is_state_dict(content) else 0
        names = {f"{2 * i}.{name}" for i in range(depth) for name in ("weight", "bias")}
        if depth < 2 or not content.keys() <= names:
            return None
        if missing := names - content.keys():
            raise CheckpointError(f"{path}, an MLPGAN by its looks, lacks {min(missing)}; it is damaged")
        weights = [content[f"{2 * i}.weight"] for i in range(depth)]
        if any(weight.ndim != 2 for weight in weights):
            return None
        widths = [weights[0].shape[1], *(len(weight) for weight in weights)]
        if widths[-1] <= widths[0]:  # a discriminator or another classifier
            return None
        return {"widths": widths}, {f"net.{name}": tensor for name, tensor in content.items()}

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        return (self.net(latents).tanh().unflatten(1, self.image_shape) + 1) / 2

    def first_weights(self) -> list[Tensor]:
        return [self.net.get_parameter("0.weight")]
