"""Glow (Kingma and Dhariwal 2018) as rosinality/glow-pytorch trains and saves it: an invertible generator with a likelihood."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoints import is_state_dict, read_json
from ..errors import OptionError, ShapeError, require_positive
from .base import Flow, Parts
from .sizes import grey_levels


def _in_full_precision(x: Tensor) -> torch.autocast:
    """Outside of autocast: what pixels themselves go through is cheap, and its rounding would add up over the steps."""
    return torch.autocast(x.device.type, enabled=False)


class _ActNorm(nn.Module):
    """scale * (x + loc), a pair for each channel; `_Step` applies it."""

    initialized: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.register_buffer("initialized", torch.tensor(0, dtype=torch.uint8))

    def initialise(self, x: Tensor) -> None:
        """Makes it map x (B, C, H, W) to zero mean and unit variance in each channel."""
        std, mean = torch.std_mean(x, dim=(0, 2, 3), keepdim=True)
        self.loc.copy_(-mean)
        self.scale.copy_(1 / (std + 1e-6))
        self.initialized.fill_(1)


class _InvConv(nn.Module):
    """An invertible matrix over the channels: `matrix` of its `factors`, or of several's, stacked."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(channels, channels))[:, :, None, None])

    def factors(self) -> tuple[Tensor, ...]:
        return (self.weight,)

    @staticmethod
    def matrix(weight: Tensor) -> Tensor:
        return weight[..., 0, 0]

    def log_det(self) -> Tensor:
        return torch.linalg.slogdet(self.matrix(self.weight).double()).logabsdet.to(self.weight.dtype)


class _InvConvLU(nn.Module):
    """The same as P L (U + diag(s)), whose determinant costs nothing (eq. 10)."""

    w_p: Tensor
    s_sign: Tensor

    def __init__(self, channels: int):
        super().__init__()
        permutation, lower, upper = torch.linalg.lu(nn.init.orthogonal_(torch.empty(channels, channels)))
        self.register_buffer("w_p", permutation)
        self.register_buffer("s_sign", upper.diagonal().sign())
        self.w_l = nn.Parameter(lower)
        self.w_s = nn.Parameter(upper.diagonal().abs().log())
        self.w_u = nn.Parameter(upper.triu(1))

    def factors(self) -> tuple[Tensor, ...]:
        return self.w_p, self.w_l, self.w_u, self.s_sign, self.w_s

    @staticmethod
    def matrix(w_p: Tensor, w_l: Tensor, w_u: Tensor, s_sign: Tensor, w_s: Tensor) -> Tensor:
        lower = w_l.tril(-1) + torch.diag_embed(torch.ones_like(w_s))
        return w_p @ lower @ (w_u.triu(1) + torch.diag_embed(s_sign * w_s.exp()))

    def log_det(self) -> Tensor:
        return self.w_s.sum()


class _ZeroConv(nn.Module):
    """A 3x3 convolution that begins as zero, each output with a learned log-scale; what is outside of the image is one.

    The ones contribute the same to all images, so they are convolved apart: that is faster than padding each image by them.
    """

    def __init__(self, channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, 3, padding=1)
        for parameter in self.conv.parameters():
            nn.init.zeros_(parameter)
        self.scale = nn.Parameter(torch.zeros(1, out_channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        outside = F.pad(x.new_zeros(1, 1, *x.shape[2:]), (1, 1, 1, 1), value=1.0)
        border = F.conv2d(outside, self.conv.weight.sum(dim=1, keepdim=True))
        return (self.conv(x) + border) * (3 * self.scale).exp()


class _Coupling(nn.Module):
    """Moves one half of the channels by a function of the other: (x + t) * sigmoid(s + 2), or x + t if not affine."""

    def __init__(self, channels: int, width: int, affine: bool):
        super().__init__()
        self.affine = affine
        self.net = nn.Sequential(
            nn.Conv2d(channels // 2, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 1),
            nn.ReLU(inplace=True),
            _ZeroConv(width, channels if affine else channels // 2),
        )
        for hidden in (self.net[0], self.net[2]):
            weight, bias = hidden.parameters()
            nn.init.normal_(weight, std=0.05)
            nn.init.zeros_(bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, C, H, W) -> y (B, C, H, W) and log |det dy/dx| (B,)."""
        given, moved = x.chunk(2, dim=1)
        if not self.affine:
            return torch.cat([given, moved + self.net(given)], dim=1), x.new_zeros(len(x))
        logit, shift = self.net(given).chunk(2, dim=1)
        log_scale = F.logsigmoid(logit + 2)
        return torch.cat([given, (moved + shift) * log_scale.exp()], dim=1), log_scale.sum(dim=(1, 2, 3))

    def inverse(self, y: Tensor) -> Tensor:
        given, moved = y.chunk(2, dim=1)
        if not self.affine:
            return torch.cat([given, moved - self.net(given)], dim=1)
        logit, shift = self.net(given).chunk(2, dim=1)
        return torch.cat([given, moved / (logit + 2).sigmoid() - shift], dim=1)


class _Step(nn.Module):
    """One step of the flow: actnorm and the invertible convolution, which are one affine map of each pixel, then the coupling."""

    def __init__(self, channels: int, width: int, affine: bool, lu: bool):
        super().__init__()
        self.actnorm = _ActNorm(channels)
        self.invconv = _InvConvLU(channels) if lu else _InvConv(channels)
        self.coupling = _Coupling(channels, width, affine)

    def forward(self, x: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, C, H, W) and the affine map's matrix (C, C) -> y (B, C, H, W) and log |det dy/dx| (B,)."""
        with _in_full_precision(x):
            y = F.conv2d(x, matrix[:, :, None, None], matrix @ self.actnorm.loc.flatten())
            log_det = x.shape[2] * x.shape[3] * (self.actnorm.scale.abs().log().sum() + self.invconv.log_det())
        y, change = self.coupling(y)
        return y, log_det + change

    def inverse(self, y: Tensor, inverse_matrix: Tensor) -> Tensor:
        x = self.coupling.inverse(y)
        with _in_full_precision(x):
            return F.conv2d(x, inverse_matrix[:, :, None, None], -self.actnorm.loc.flatten())


def _matrices(steps: Sequence[_Step]) -> Tensor:
    """Of the affine maps of K steps, (K, C, C), made all at once, for each is small."""
    scales = torch.stack([step.actnorm.scale.flatten() for step in steps])
    factors = map(torch.stack, zip(*(step.invconv.factors() for step in steps), strict=True))
    with _in_full_precision(scales):
        return steps[0].invconv.matrix(*factors) * scales[:, None]


class Variables(NamedTuple):
    """What one block makes of an image, z, and its prior N(mean, exp(log_std)^2); (B, C, H, W) each, a prior's B may be 1."""

    z: Tensor
    mean: Tensor
    log_std: Tensor

    def whitened(self) -> Tensor:
        """z as the prior's standard normal noise, (B, C, H, W)."""
        return (self.z - self.mean) * (-self.log_std).exp()

    def log_prob(self) -> Tensor:
        """Under the prior, (B,)."""
        return -(0.5 * (self.whitened().square() + math.log(2 * math.pi)) + self.log_std).sum(dim=(1, 2, 3))


class _Block(nn.Module):
    """A quarter of the pixels with four times the channels, then the steps; then half of the channels leave, of the last all."""

    def __init__(self, channels: int, steps: int, width: int, affine: bool, lu: bool, last: bool):
        super().__init__()
        self.last = last
        self.flows: Any = nn.ModuleList(_Step(4 * channels, width, affine, lu) for _ in range(steps))
        leaving = 4 * channels if last else 2 * channels
        self.prior = _ZeroConv(leaving, 2 * leaving)

    def _prior(self, staying: Tensor | None, leaving: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and log-std of what leaves, given what stays."""
        mean, log_std = self.prior(torch.zeros_like(leaving[:1]) if staying is None else staying).chunk(2, dim=1)
        return mean, log_std

    def forward(self, x: Tensor) -> tuple[Tensor | None, Variables, Tensor]:
        """x (B, C, H, W) -> what stays (B, 2C, H/2, W/2), what leaves, and log |det| (B,)."""
        x, log_det = F.pixel_unshuffle(x, 2), x.new_zeros(len(x))
        for step, matrix in zip(self.flows, _matrices(self.flows), strict=True):
            x, change = step(x, matrix)
            log_det = log_det + change
        staying, leaving = (None, x) if self.last else x.chunk(2, dim=1)
        return staying, Variables(leaving, *self._prior(staying, leaving)), log_det

    def inverse(self, staying: Tensor | None, whitened: Tensor) -> Tensor:
        mean, log_std = self._prior(staying, whitened)
        x = mean + log_std.exp() * whitened
        if staying is not None:
            x = torch.cat([staying, x], dim=1)
        for step, inverse in zip(reversed(self.flows), torch.linalg.inv(_matrices(self.flows)).flip(0), strict=True):
            x = step.inverse(x, inverse)
        return F.pixel_shuffle(x, 2)


class Glow(Flow):
    """Blocks of actnorm, invertible 1x1 convolution and coupling over ever coarser images (Kingma and Dhariwal 2018, figure 2).

    The latents are what the blocks put out, flattened, the first block's first, and whitened by their learned priors: standard
    normal. Parameter names are glow-pytorch's, whose files tell everything but the size of the images and the number of grey
    values: these are read from an `args.json` beside them (`img_size`, `n_bits`) or given to `load`, else the defaults.

    Args:
        image_shape: (C, H, W), H and W multiples of 2^blocks.
        blocks: Scales.
        steps: Of the flow in each block.
        width: Of the couplings' two hidden layers.
        affine: Whether couplings also scale, which fits better, but can overflow when a young flow is inverted.
        lu: Whether the 1x1 convolutions learn an LU decomposition and not the matrix itself; those of the last block always do.
        levels: Grey values: 2^n_bits.
        image_size: H and W instead of those, for files that do not tell.

    Attributes:
        latent_shapes: (C, H, W) of each block's part of a latent.

    Raises:
        OptionError: If an option is not positive or the blocks cannot halve the image so often.
    """

    files: ClassVar[tuple[str, ...]] = ("model_*.pt",)

    telltales = frozenset(
        {
            "blocks.0.flows.0.actnorm.initialized",
            "blocks.0.flows.0.actnorm.loc",
            "blocks.0.flows.0.coupling.net.4.conv.weight",
            "blocks.0.prior.scale",
        }
    )

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 64, 64),
        blocks: int = 3,
        steps: int = 8,
        width: int = 64,
        affine: bool = False,
        lu: bool = True,
        levels: int = 32,
        image_size: int | None = None,
    ):
        super().__init__()
        require_positive(blocks=blocks, steps=steps, width=width, levels=levels)
        channels, height, side = image_shape if image_size is None else (image_shape[0], image_size, image_size)
        if min(height, side) < 1 or any(length >> blocks << blocks != length for length in (height, side)):
            raise OptionError(
                f"images are {height} x {side}; {blocks} blocks halve them so often, so give multiples of 2^{blocks}"
            )
        self.image_shape = (channels, height, side)
        self.config = {
            "image_shape": self.image_shape,
            "blocks": blocks,
            "steps": steps,
            "width": width,
            "affine": affine,
            "lu": lu,
            "levels": levels,
        }
        self.latent_dim = math.prod(self.image_shape)
        self.levels = levels
        self.latent_shapes = [(channels * 2**i, height >> i, side >> i) for i in range(1, blocks)]
        self.latent_shapes.append((channels * 2 ** (blocks + 1), height >> blocks, side >> blocks))
        lasts = [i == blocks - 1 for i in range(blocks)]
        self.blocks: Any = nn.ModuleList(
            _Block(channels * 2**i, steps, width, affine, lu or last, last) for i, last in enumerate(lasts)
        )
        self.to(memory_format=torch.channels_last)  # in which convolutions of few channels are faster

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        first = "blocks.0.flows.0"
        if not is_state_dict(content):
            return None
        if not cls.telltales <= content.keys():
            return None
        out_channels, width = content[f"{first}.coupling.net.4.conv.weight"].shape[:2]
        squeezed = content[f"{first}.actnorm.loc"].shape[1]
        config: dict[str, Any] = {
            "image_shape": (squeezed // 4, 64, 64),
            "blocks": len({name.split(".")[1] for name in content if name.startswith("blocks.")}),
            "steps": len({name.split(".")[3] for name in content if name.startswith("blocks.0.flows.")}),
            "width": width,
            "affine": out_channels == squeezed,
            "lu": f"{first}.invconv.w_p" in content,
        }
        options = path.with_name("args.json")
        if options.is_file():
            args = read_json(options)
            config |= {"image_size": args["img_size"]} if "img_size" in args else {}
            config |= {"levels": grey_levels(args["n_bits"])} if "n_bits" in args else {}
        constants = (".u_mask", ".l_mask", ".l_eye")
        return config, {name: tensor for name, tensor in content.items() if not name.endswith(constants)}

    @torch.no_grad()
    def initialise(self, images: Tensor) -> None:
        """Sets the actnorms so that each maps these (dequantised) images (B, C, H, W) to zero mean and unit variance."""
        x = self._centred(images)
        for block in self.blocks:
            x = F.pixel_unshuffle(x, 2)
            for step in block.flows:
                step.actnorm.initialise(x)
                x, _ = step(x, _matrices([step])[0])
            x, _ = x.chunk(2, dim=1)

    def _centred(self, images: Tensor) -> Tensor:
        if images.shape[1:] != self.image_shape:
            raise ShapeError(f"this flow takes images (B, {self.image_shape}), got {tuple(images.shape)}; see image_size")
        return images - 0.5

    def decompose(self, images: Tensor) -> tuple[list[Variables], Tensor]:
        """What each block makes of images (B, C, H, W) in [0, 1], and log |det dz/dx| (B,) of all.

        Raises:
            ShapeError: If the images have another shape.
        """
        x: Tensor | None = self._centred(images)
        log_det, parts = images.new_zeros(len(images)), []
        for block in self.blocks:
            x, part, change = block(x)
            log_det = log_det + change
            parts.append(part)
        return parts, log_det

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        parts = latents.split([math.prod(shape) for shape in self.latent_shapes], dim=1)
        x: Any = None
        for block, part, shape in reversed(list(zip(self.blocks, parts, self.latent_shapes, strict=True))):
            x = block.inverse(x, part.unflatten(1, shape))
        return x + 0.5

    def encode(self, images: Tensor) -> Tensor:
        return torch.cat([part.whitened().flatten(1) for part in self.decompose(images)[0]], dim=1)

    def log_prob(self, images: Tensor) -> Tensor:
        parts, log_det = self.decompose(images)
        return sum((part.log_prob() for part in parts), log_det)
