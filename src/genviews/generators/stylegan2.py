"""StyleGAN2 (Karras et al. 2020), as rosinality/stylegan2-pytorch and NVlabs/stylegan2-ada-pytorch train and save it."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..errors import GenviewsError, OptionError
from ..randomness import Rng, as_seeds, derive, uniform
from . import stylegan2_files
from .base import Generator, Parts
from .stylegan2_layers import EqualConv2d, Mapping, StyledConv, Taps, ToRGB, channels_by_size, fir, fixed_noise, up

_MEAN_DECAY = 0.995  # of the running mean of w, a training step
_CLASSES = 0  # the key of the seeds of classes


class Synthesis(nn.Module):
    """The synthesis network: a w for each layer (B, layers, w_dim) -> images (B, C, H, W), about [-1, 1].

    Attributes:
        convs: The 3x3 convolutions, one at 4 px and two at each size from there; the i-th takes the i-th w.
        to_rgbs: The layers that make images, by their size; each takes the w after the last that its size's convolutions take.
        skips: The 1x1 convolutions around each size's two, if the architecture is "resnet".
    """

    image_kernel: Tensor

    def __init__(
        self,
        channels: Sequence[int],
        colours: int,
        w_dim: int,
        blur: Taps,
        image_blur: Taps,
        architecture: str,
        activation: str,
        clamp: float | None,
    ):
        super().__init__()
        self.register_buffer("image_kernel", fir(image_blur), persistent=False)
        self.sides = [4 << level for level in range(len(channels))]
        conv = partial(StyledConv, w_dim=w_dim, activation=activation, clamp=clamp)
        self.const = nn.Parameter(torch.randn(channels[0], 4, 4))
        self.convs = nn.ModuleList([conv(channels[0], channels[0], noise=fixed_noise(0, 4))])
        self.to_rgbs, self.skips = nn.ModuleDict(), nn.ModuleDict()
        for side, (inputs, outputs) in zip(self.sides[1:], pairwise(channels), strict=True):
            layer = len(self.convs)
            self.convs.append(conv(inputs, outputs, noise=fixed_noise(layer, side), kernel=fir(blur)))
            self.convs.append(conv(outputs, outputs, noise=fixed_noise(layer + 1, side)))
            if architecture == "resnet":
                self.skips[str(side)] = EqualConv2d(inputs, outputs, 1, bias=False)
        for side, inputs in zip(self.sides, channels, strict=True):
            if architecture == "skip" or side == self.sides[-1]:
                self.to_rgbs[str(side)] = ToRGB(inputs, colours, w_dim, clamp)

    def forward(self, styles: Tensor, noise: str) -> Tensor:
        """Images of w+, with the noise `StyleGAN2` describes."""
        w = styles.unbind(1)
        x = self.const[None]
        image: Any = None
        for level, side in enumerate(map(str, self.sides)):
            inputs = x
            for layer in range(max(2 * level - 1, 0), 2 * level + 1):
                x = self.convs[layer](x, w[layer], noise)
            if side in self.skips:
                x = (x + up(self.skips[side](inputs), self.image_kernel)) * math.sqrt(0.5)
            if side in self.to_rgbs:
                colours = self.to_rgbs[side](x, w[2 * level + 1])
                image = colours if image is None else up(image, self.image_kernel) + colours
        return image


class StyleGAN2(Generator):
    """A mapping network z -> w and a synthesis network that w, or one w for each of its layers (w+), modulates.

    `in_space("w")` and `in_space("w+")` are the same generator with w or w+, flattened, as its latents.

    Args:
        image_shape: (C, H, H), H a power of two from 8.
        latent_dim: Of z.
        mapping: Widths of the mapping network's layers; the last is that of w.
        channels: Of the features at 4 px, 8 px, ..., H px; None for 64, but 32 and 16 at the last two.
        num_conditions: Classes, which the mapping network takes; None for none.
        label_dim: Of a class's embedding; None for that of w.
        noise: What is added to the features: "fixed", the same to every image; "random", of PyTorch's global generator, as
            "fixed" is in training; or "none".
        blur: The filter with which features are doubled in size.
        image_blur: That with which images are; None for the same.
        clamp: Largest magnitude of a layer's outputs, None for any.
        activation: Of the synthesis network: "lrelu", "relu" or "linear".
        mapping_activation: Of the mapping network.
        mapping_rate: Multiplies the mapping network's learning rate.
        architecture: Of the synthesis network: "skip" (the image is a sum over sizes), "resnet" or "orig".

    Attributes:
        mapping: z -> w.
        mean: Of w (w_dim,), to which `truncated` draws; it follows training.
        synthesis: w+ -> images.
        num_styles: How many w a w+ is.
    """

    mean: Tensor

    spaces = ("z", "w", "w+")

    telltales = frozenset(
        {"style.1.weight", "input.input", "conv1.conv.weight", "conv1.conv.modulation.weight", "to_rgb1.conv.weight"}
    )

    def __init__(
        self,
        image_shape: Sequence[int] = (3, 64, 64),
        latent_dim: int = 64,
        mapping: Sequence[int] = (64, 64, 64, 64),
        channels: Sequence[int] | None = None,
        num_conditions: int | None = None,
        label_dim: int | None = None,
        noise: str = "fixed",
        blur: Taps = (1, 3, 3, 1),
        image_blur: Taps | None = None,
        clamp: float | None = None,
        activation: str = "lrelu",
        mapping_activation: str = "lrelu",
        mapping_rate: float = 0.01,
        architecture: str = "skip",
    ):
        super().__init__()
        channels = channels_by_size(image_shape, channels)
        if noise not in ("fixed", "random", "none"):
            raise OptionError(f"noise is {noise!r}; choose fixed, random or none")
        if architecture not in ("skip", "resnet", "orig"):
            raise OptionError(f"architecture is {architecture!r}; choose skip, resnet or orig")
        colours, side, _ = image_shape
        self.image_shape = (colours, side, side)
        self.latent_dim, self.num_conditions = latent_dim, num_conditions
        w_dim = [latent_dim, *mapping][-1]
        self.config = {
            "image_shape": self.image_shape,
            "latent_dim": latent_dim,
            "mapping": list(mapping),
            "channels": channels,
            "num_conditions": num_conditions,
            "label_dim": label_dim,
            "noise": noise,
            "blur": blur,
            "image_blur": image_blur,
            "clamp": clamp,
            "activation": activation,
            "mapping_activation": mapping_activation,
            "mapping_rate": mapping_rate,
            "architecture": architecture,
        }
        self.noise = noise
        self.psi = 1.0
        self.cutoff: int | None = None
        self.mapping = Mapping(latent_dim, mapping, num_conditions, label_dim or w_dim, mapping_rate, mapping_activation)
        self.synthesis = Synthesis(channels, colours, w_dim, blur, image_blur or blur, architecture, activation, clamp)
        self.num_styles = 2 * len(channels)
        self.register_buffer("mean", torch.zeros(w_dim))

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        return stylegan2_files.generator(content, path, cls.telltales)

    @staticmethod
    def original_name(name: str) -> str:
        return stylegan2_files.rosinality_name(name)

    def styles(self, latents: Tensor, condition: Tensor | None = None) -> Tensor:
        """The w+ (B, num_styles, w_dim) of z (B, latent_dim) and classes (B,): the same w, as truncated, for every layer."""
        with torch.autocast(latents.device.type, enabled=False):
            w = self.mapping(latents, condition)
        if self.training:
            self.mean.lerp_(w.detach().mean(0), 1 - _MEAN_DECAY)
        styles = w[:, None].expand(-1, self.num_styles, -1)
        truncated = self.mean.lerp(styles[:, : self.cutoff], self.psi)
        return truncated if self.cutoff is None else torch.cat([truncated, styles[:, self.cutoff :]], 1)

    def render(self, styles: Tensor) -> Tensor:
        """The images (B, C, H, H) of a w for each layer (B, num_styles, w_dim)."""
        noise = "random" if self.training and self.noise == "fixed" else self.noise
        return (self.synthesis(styles, noise) + 1) / 2

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        return self.render(self.styles(latents, condition))

    def truncated(self, psi: float, cutoff: int | None = None) -> Self:
        """The same generator, sharing its weights, that draws w to its mean: w' = mean + psi (w - mean).

        Args:
            psi: 1 for all the variety, less for typical images.
            cutoff: Of how many of the first layers; None for all.
        """
        other = super().truncated(psi)
        other.truncation, other.psi, other.cutoff = None, psi, cutoff
        return other

    def in_space(self, space: str) -> Generator:
        return StyleSpace(self, space) if space in ("w", "w+") else super().in_space(space)

    def first_weights(self) -> list[Tensor]:
        raise GenviewsError("the z of a StyleGAN2 enters a mapping network; take its space w, which meets weights first")


class StyleSpace(Generator):
    """A StyleGAN2, of which it shares the weights, whose latents are w or w+; made by `StyleGAN2.in_space`.

    A conditional generator's class is in the w, so that this one is unconditional.
    """

    spaces = StyleGAN2.spaces

    def __init__(self, generator: StyleGAN2, space: str):
        super().__init__()
        self.generator, self.space = generator, space
        self.image_shape = generator.image_shape
        self.distinct = 1 if space == "w" else generator.num_styles
        self.latent_dim = self.distinct * len(generator.mean)
        self.autocast = generator.autocast
        self.train(generator.training)

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        return self.generator.render(latents.unflatten(1, (self.distinct, -1)).expand(-1, self.generator.num_styles, -1))

    def first_weights(self) -> list[Tensor]:
        """As `Generator.first_weights`: what modulates each convolution, and the colours of the last, in w."""
        if self.space != "w":
            raise GenviewsError(f"each w of a {self.space} meets weights of its own; take the space w, and the layers you want")
        synthesis = self.generator.synthesis
        layers: Any = [*synthesis.convs, synthesis.to_rgbs[str(synthesis.sides[-1])]]
        return [layer.affine.weight * layer.affine.scale for layer in layers]

    @torch.no_grad()
    def sample_latents(
        self, n: int, *, truncation: float | None = None, rng: Rng = None, condition: Tensor | None = None
    ) -> Tensor:
        """Maps latents z from the prior.

        Args:
            n: How many.
            truncation: psi with which w is drawn to its mean; None for the generator's own.
            rng: A torch.Generator, or int64 seeds (n,), one a sample; of the same seeds the generator samples the same z.
            condition: Classes (n,) of a conditional generator; None for classes drawn uniformly.

        Returns:
            float32 (n, D), on the generator's device; of w+ the same w for all layers but for the cutoff of `truncated`.
        """
        seeds = as_seeds(rng, n, self.device)
        generator = self.generator if truncation is None else self.generator.truncated(truncation, self.generator.cutoff)
        if condition is None and generator.num_conditions is not None:
            condition = (uniform(derive(seeds, _CLASSES), 1)[:, 0] * generator.num_conditions).long()
        latents = generator.sample_latents(n, rng=seeds).to(generator.mean)
        return generator.styles(latents, condition)[:, : self.distinct].flatten(1)

    def truncated(self, psi: float, cutoff: int | None = None) -> Self:
        return type(self)(self.generator.truncated(psi, cutoff), self.space)

    def in_space(self, space: str) -> Generator:
        return self.generator.in_space(space)
