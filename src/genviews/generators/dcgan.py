"""The generator of DCGAN (Radford et al. 2016), as PyTorch's examples and csinva/gan-vae-pretrained-pytorch save it."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints import is_state_dict
from ..errors import OptionError
from .base import Generator, Parts
from .discriminators import dcgan_init
from .sizes import doublings, last_index


class DCGAN(Generator):
    """Transposed convolutions with BatchNorm and ReLU between: one makes a small square of the latent, 4x4 ones double it; tanh.

    Parameter names are those of the example.

    Args:
        image_shape: (C, H, W), square.
        latent_dim: D.
        channels: After each convolution but the last; None for 32 at half the image's size and twice as many at each smaller one,
            down to 4 x 4. The example has 512, 256, 128, 64.
        first_kernel: The size of the first square.
        last_kernel: 4 for a last convolution that doubles the size, 1 for one that does not. Either crops to `image_shape`.

    Raises:
        OptionError: If these do not lead to images of that size.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        latent_dim: int = 100,
        channels: Sequence[int] | None = None,
        first_kernel: int = 4,
        last_kernel: int = 4,
    ):
        super().__init__()
        channels = [32 << i for i in reversed(range(doublings(image_shape)))] if channels is None else list(channels)
        colours, size, width = image_shape
        last_stride = 2 if last_kernel == 4 else 1
        full = (first_kernel << (len(channels) - 1)) * last_stride
        margin, odd = divmod(full - size, 2)
        if width != size or margin < 0 or odd or last_kernel not in (1, 4):
            raise OptionError(
                f"image_shape is {tuple(image_shape)}; kernels of {first_kernel} to {last_kernel} and {len(channels)} channels "
                f"make {full} x {full} pixels or, cropped, an even number less"
            )
        self.image_shape = (colours, size, size)
        self.latent_dim = latent_dim
        self.config = {
            "image_shape": self.image_shape,
            "latent_dim": latent_dim,
            "channels": channels,
            "first_kernel": first_kernel,
            "last_kernel": last_kernel,
        }
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent_dim, channels[0], first_kernel, bias=False)]
        for coarse, fine in pairwise(channels):
            layers += [nn.BatchNorm2d(coarse), nn.ReLU(), nn.ConvTranspose2d(coarse, fine, 4, 2, 1, bias=False)]
        padding = margin + last_stride - 1
        last = nn.ConvTranspose2d(channels[-1], colours, last_kernel, last_stride, padding, bias=False)
        self.main = nn.Sequential(*layers, nn.BatchNorm2d(channels[-1]), nn.ReLU(), last, nn.Tanh())
        dcgan_init(self.main)

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        """As `Generator.recognise`.

        What a last kernel of 1x1 crops no file tells: two pixels a side of 32 x 32 in grey (csinva's MNIST), else nothing.
        """
        if not is_state_dict(content):
            return None
        end = last_index(r"main\.(\d+)\.weight$", content)
        if end < 3 or end % 3 or not {"main.0.weight", "main.1.running_mean"} <= content.keys():
            return None
        first, *middle, last = (content[f"main.{i}.weight"] for i in range(0, end + 1, 3))
        size = (first.shape[2] << len(middle)) * (2 if last.shape[2] == 4 else 1)
        colours = last.shape[1]
        if (colours, size, last.shape[2]) == (1, 32, 1):
            size = 28
        config = {
            "image_shape": (colours, size, size),
            "latent_dim": len(first),
            "channels": [weight.shape[1] for weight in (first, *middle)],
            "first_kernel": first.shape[2],
            "last_kernel": last.shape[2],
        }
        counts = {name.replace("running_mean", "num_batches_tracked") for name in content if name.endswith("running_mean")}
        return config, dict.fromkeys(counts, torch.tensor(0)) | content  # files of PyTorch before 0.4.1 have no counts

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        return (self.main(latents[:, :, None, None]) + 1) / 2

    def first_weights(self) -> list[Tensor]:
        return [self.main.get_parameter("0.weight").flatten(1).T]
