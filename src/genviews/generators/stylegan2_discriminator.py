"""StyleGAN2's discriminator (Karras et al. 2020): images -> how real they look."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from .. import checkpoints
from ..errors import CheckpointError, ShapeError
from . import stylegan2_files
from .stylegan2_layers import EqualConv2d, EqualLinear, Mapping, Taps, blur, channels_by_size, down, fir


class _Block(nn.Module):
    """Two convolutions and one around them, at the end of which the size is half."""

    def __init__(self, inputs: int, outputs: int, **options: Any):
        super().__init__()
        self.conv0 = EqualConv2d(inputs, inputs, 3, **options)
        self.conv1 = EqualConv2d(inputs, outputs, 3, stride=2, **options)
        self.skip = EqualConv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, kernel: Tensor) -> Tensor:
        blurred = blur(self.conv0(x), kernel, len(kernel) // 2)
        return (self.conv1(blurred) + self.skip(down(x, kernel))) * math.sqrt(0.5)


class StyleGAN2Discriminator(nn.Module):
    """A residual network that sees, by their standard deviation, how images of a batch differ.

    Args:
        image_shape: (C, H, H), H a power of two from 8.
        channels: Of the features at 4 px, 8 px, ..., H px; None for 64, but 32 and 16 at the last two.
        num_conditions: Classes, None for none.
        label_dim: Of a class's embedding; None for the channels at 4 px.
        mapping: Widths of the layers that map a class's embedding; the last is that of its product with the features.
        stddev_group: Images whose standard deviation is taken together, or as many fewer as divide the batch.
        blur: The filter with which features are halved in size.
        clamp: Largest magnitude of a layer's outputs, None for any.
        activation: "lrelu", "relu" or "linear".
        mapping_rate: Multiplies the learning rate of the layers of `mapping`.

    Attributes:
        num_features: F, the size of the features.
    """

    kernel: Tensor

    def __init__(
        self,
        image_shape: Sequence[int] = (3, 64, 64),
        channels: Sequence[int] | None = None,
        num_conditions: int | None = None,
        label_dim: int | None = None,
        mapping: Sequence[int] = (64, 64, 64, 64),
        stddev_group: int = 4,
        blur: Taps = (1, 3, 3, 1),
        clamp: float | None = None,
        activation: str = "lrelu",
        mapping_rate: float = 0.01,
    ):
        super().__init__()
        first, *_ = channels = channels_by_size(image_shape, channels)
        options: dict[str, Any] = {"activation": activation, "clamp": clamp}
        self.stddev_group, self.num_features = stddev_group, first
        self.register_buffer("kernel", fir(blur), persistent=False)
        self.mapping = None
        if num_conditions is not None:
            self.mapping = Mapping(0, mapping, num_conditions, label_dim or first, mapping_rate, activation)
        self.from_rgb = EqualConv2d(image_shape[0], channels[-1], 1, **options)
        self.blocks = nn.ModuleList(_Block(*sizes, **options) for sizes in pairwise(reversed(channels)))
        self.last_conv = EqualConv2d(first + 1, first, 3, **options)
        self.hidden = EqualLinear(first * 16, first, activation=activation)
        self.out = EqualLinear(first, 1 if num_conditions is None else mapping[-1])

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The discriminator in a checkpoint of rosinality/stylegan2-pytorch or NVlabs/stylegan2-ada-pytorch, in eval mode.

        Raises:
            CheckpointError: If the file is missing or damaged, or has none.
            UnsafeFileError: If it would run code when read.
        """
        content = checkpoints.read(path)
        with checkpoints.building(path):
            parts = stylegan2_files.discriminator(content, Path(path))
            if parts is None:
                raise CheckpointError(f"{path} has no discriminator of StyleGAN2; give the file of a training run")
            config, state = parts
            discriminator = cls(**config)
            discriminator.load_state_dict(state)
        return discriminator.eval()

    def features(self, images: Tensor) -> Tensor:
        """The features (B, F) of images (B, C, H, H) in [0, 1], for another head beside the judgement, such as InfoGAN's."""
        x = self.from_rgb(2 * images - 1)
        for block in self.blocks:
            x = block(x, self.kernel)
        x = self.last_conv(torch.cat([x, self._deviation(x)], 1))
        return self.hidden(x.flatten(1))

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """Logits (B,), above zero for real, of images (B, C, H, H) in [0, 1] and, if conditional, their classes (B,)."""
        if (condition is None) != (self.mapping is None):
            raise ShapeError(f"this discriminator takes {'no' if self.mapping is None else 'a'} condition (B,)")
        logits = self.out(self.features(images))
        if self.mapping is None:
            return logits[:, 0]
        return (logits * self.mapping(images.new_empty(len(images), 0), condition)).sum(1) / math.sqrt(logits.shape[1])

    def _deviation(self, x: Tensor) -> Tensor:
        """The standard deviation of x (B, C, H, W) within groups of the batch, averaged over all but those: (B, 1, H, W)."""
        group = next(size for size in range(self.stddev_group, 0, -1) if len(x) % size == 0)
        deviation = (x.unflatten(0, (group, -1)).var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        return deviation.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
