"""The layers of StyleGAN2's networks (Karras et al. 2020), their learning rates equalised (Karras et al. 2018, section 4.1)."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import OptionError
from ..randomness import normal, sample_seeds
from .sizes import doublings

Taps = Sequence[float] | Sequence[Sequence[float]]
"""A filter (n,), applied along the height and the width, or (n, n); of any sum."""

ACTIVATIONS = {"lrelu": (0.2, math.sqrt(2)), "relu": (0.0, math.sqrt(2)), "linear": (1.0, 1.0)}
"""The slope of a leaky ReLU below zero, and the gain after it, which may as well come before."""


def channels_by_size(image_shape: Sequence[int], channels: Sequence[int] | None) -> list[int]:
    """The channels of the features at 4 px, 8 px, ... up to the images' size; if None are given, few enough for a CPU.

    Raises:
        OptionError: If images have no such size, or there are not as many channels as sizes.
    """
    sizes = doublings(image_shape) + 1
    if channels is None:
        return [64] * (sizes - 2) + [32, 16]
    if len(channels) != sizes:
        raise OptionError(f"channels is {channels}; give one number for each of the {sizes} sizes 4, 8, ..., {image_shape[1]}")
    return list(channels)


def gain(activation: str) -> float:
    """The gain of an activation.

    Raises:
        OptionError: If it is none of `ACTIVATIONS`.
    """
    if activation not in ACTIVATIONS:
        raise OptionError(f"activation is {activation!r}; choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[activation][1]


def activate(x: Tensor, activation: str, clamp: float | None = None) -> Tensor:
    """An activation without its gain, kept to [-clamp, clamp]."""
    x = x if activation == "linear" else F.leaky_relu(x, ACTIVATIONS[activation][0])
    return x if clamp is None else x.clamp(-clamp, clamp)


def fir(taps: Taps) -> Tensor:
    """The filter (n, n) of sum 1 for `blur`, `down` and `up`, which correlate with it; n is even, so that paddings are, too."""
    kernel = torch.tensor(taps, dtype=torch.float32)
    kernel = torch.outer(kernel, kernel) if kernel.ndim == 1 else kernel
    kernel = (kernel / kernel.sum()).flip(0, 1)
    odd = len(kernel) % 2
    return F.pad(kernel, (0, odd, 0, odd))


def blur(x: Tensor, kernel: Tensor, padding: int, stride: int = 1) -> Tensor:
    """Filters each channel of x (B, C, H, W)."""
    channels = x.shape[1]
    return F.conv2d(x, kernel.expand(channels, 1, -1, -1), padding=padding, stride=stride, groups=channels)


def down(x: Tensor, kernel: Tensor) -> Tensor:
    """x (B, C, H, W) at half its size."""
    return blur(x, kernel, len(kernel) // 2 - 1, stride=2)


def up(x: Tensor, kernel: Tensor) -> Tensor:
    """x (B, C, H, W) at twice its size."""
    channels, kernel = x.shape[1], 4 * kernel.flip(0, 1)
    return F.conv_transpose2d(x, kernel.expand(channels, 1, -1, -1), stride=2, padding=len(kernel) // 2 - 1, groups=channels)


class EqualLinear(nn.Module):
    """A linear layer whose weights are kept at unit variance over `rate` and scaled where they are used, and its activation.

    Args:
        inputs: Their number.
        outputs: Theirs.
        rate: Multiplies the learning rate.
        bias: What the biases start at.
        activation: One of `ACTIVATIONS`.
    """

    def __init__(self, inputs: int, outputs: int, *, rate: float = 1.0, bias: float = 0.0, activation: str = "linear"):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.activation = activation
        self.bias_scale = rate * gain(activation)
        self.scale = self.bias_scale / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        return activate(F.linear(x, self.weight * self.scale, self.bias * self.bias_scale), self.activation)


class EqualConv2d(nn.Module):
    """A convolution whose weights are kept at unit variance and scaled where they are used, and its activation.

    Args:
        inputs: Channels.
        outputs: Channels.
        size: Of the kernel, in pixels.
        stride: 1 keeps the size; 2 halves what was blurred and padded before.
        bias: Whether it has one.
        activation: One of `ACTIVATIONS`.
        clamp: Largest magnitude of an output, None for any.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        *,
        stride: int = 1,
        bias: bool = True,
        activation: str = "linear",
        clamp: float | None = None,
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.stride, self.padding = stride, size // 2 if stride == 1 else 0
        self.activation, self.gain, self.clamp = activation, gain(activation), clamp
        self.scale = self.gain / math.sqrt(inputs * size**2)

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias * self.gain
        x = F.conv2d(x, self.weight * self.scale, bias, stride=self.stride, padding=self.padding)
        return activate(x, self.activation, self.clamp)


def _unit(x: Tensor) -> Tensor:
    """Each x (B, D) at a mean square of one."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class Mapping(nn.Module):
    """The mapping network: z (B, latent_dim) and a class (B,), if it takes one, -> w (B, widths[-1]).

    Args:
        latent_dim: Of z; 0 for a class alone.
        widths: Of the layers.
        num_conditions: Classes, None for none.
        label_dim: Of a class's embedding.
        rate: Multiplies the layers' learning rate.
        activation: One of `ACTIVATIONS`.
    """

    def __init__(
        self, latent_dim: int, widths: Sequence[int], num_conditions: int | None, label_dim: int, rate: float, activation: str
    ):
        super().__init__()
        self.embed = None if num_conditions is None else EqualLinear(num_conditions, label_dim)
        inputs = latent_dim + (0 if num_conditions is None else label_dim)
        self.layers = nn.ModuleList(
            EqualLinear(*sizes, rate=rate, activation=activation) for sizes in pairwise((inputs, *widths))
        )

    def forward(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        x = _unit(latents)
        if self.embed is not None and condition is not None:
            classes = F.one_hot(condition, self.embed.weight.shape[1]).to(x.dtype)
            x = torch.cat([x, _unit(self.embed(classes))], 1)
        for layer in self.layers:
            x = layer(x)
        return x


def fixed_noise(layer: int, side: int) -> Tensor:
    """The noise (side, side) of a layer that comes without its own."""
    return normal(sample_seeds(0, torch.tensor([layer])), side * side).reshape(side, side)


class StyledConv(nn.Module):
    """A 3x3 convolution whose weights w modulates and demodulates, with noise, bias and activation.

    To modulate and demodulate each sample's weights (eq. 1 and 3) is to scale the inputs and the outputs of one convolution that
    the samples share. A layer that doubles the size is a transposed convolution and a blur.

    Args:
        inputs: Channels.
        outputs: Channels.
        w_dim: Of w.
        noise: The layer's own, of the size of the output (H, W).
        kernel: Of the blur of a layer that doubles the size, None for one that does not.
        activation: One of `ACTIVATIONS`.
        clamp: Largest magnitude of an output, None for any.
    """

    noise: Tensor
    kernel: Tensor | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        w_dim: int,
        noise: Tensor,
        kernel: Tensor | None = None,
        activation: str,
        clamp: float | None,
    ):
        super().__init__()
        self.affine = EqualLinear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(1))
        self.register_buffer("noise", noise)
        self.register_buffer("kernel", None if kernel is None else 4 * kernel, persistent=False)
        self.activation, self.gain, self.clamp = activation, gain(activation), clamp
        self.scale = 1 / math.sqrt(9 * inputs)

    def forward(self, x: Tensor, w: Tensor, noise: str) -> Tensor:
        weight, style = self.weight * self.scale, self.affine(w)
        demodulation = (style.square() @ weight.square().sum((2, 3)).T + 1e-8).rsqrt()
        x = x * style[:, :, None, None]
        if self.kernel is None:
            x = F.conv2d(x, weight, padding=1)
        else:
            x = blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), self.kernel, len(self.kernel) // 2 - 1)
        offset = self.bias[:, None, None]
        if noise != "none":
            grid = self.noise if noise == "fixed" else torch.randn_like(x[:, :1])
            offset = offset + self.noise_strength * grid
        return activate(x * (self.gain * demodulation)[:, :, None, None] + self.gain * offset, self.activation, self.clamp)


class ToRGB(nn.Module):
    """Features (B, C, H, W) to colours by a 1x1 convolution whose weights w modulates."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, clamp: float | None):
        super().__init__()
        self.affine = EqualLinear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = 1 / math.sqrt(inputs)
        self.clamp = clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        weight = self.weight.flatten(1) * (self.affine(w) * self.scale)[:, None]
        colours = (weight @ x.flatten(2)).unflatten(2, x.shape[2:])
        return activate(colours + self.bias[:, None, None], "linear", self.clamp)
