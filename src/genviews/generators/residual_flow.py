"""Residual Flow (Chen et al. 2019): invertible residual blocks, as rtqichen/residual-flows trains and saves them."""

import math
import re
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoints import is_state_dict
from ..errors import CheckpointError, OptionError, ShapeError
from ..randomness import Rng, as_seeds, derive, uniform
from ..unpickling import Inert
from .base import Flow, Parts
from .lipschitz import ACTIVATIONS, LipschitzMap
from .log_det import DISTRIBUTIONS, Contraction, LogDet, by_jacobian, by_power_series, roulette
from .residual_layers import ActNorm, Logit, ResidualBlock, Shape, Squeeze
from .sizes import grey_levels

_DENSE_BLOCKS = 4
_EXACT_TERMS_IN_EVAL = 20

_OPTIONS = {
    "hidden": "idim",
    "activation": "act",
    "bound": "coeff",
    "dense_end": "fc_end",
    "dense_hidden": "fc_idim",
    "dense": "fc",
    "preactivation": "preact",
    "first_block": "first_resblock",
    "actnorm": "actnorm",
    "dense_actnorm": "fc_actnorm",
    "factor_out": "factor_out",
    "squeeze_first": "squeeze_first",
    "distribution": "n_dist",
    "exact_terms": "n_exact_terms",
    "series_terms": "n_power_series",
    "tolerance": "sn_tol",
    "iterations": "n_lipschitz_iters",
}
"""Our options and the command-line arguments of the original code that say the same."""

_READABLE = {
    "block": "resblock",
    "learn_p": False,
    "quadratic": False,
    "batchnorm": False,
    "dropout": 0,
    "padding": 0,
    "task": "density",
    "logit_transform": True,
}
"""What the original code's other arguments must be, besides vnorms: all spectral."""

_PARAMETERS = ("weight", "bias", "beta", "geom_p", "lamb")
_BOOKKEEPING = ("geom_p", "lamb", "last_n_samples", "last_firmom", "last_secmom", "scale", "initialized", "spatial_dims")
"""Of a state dict: constants and statistics of the estimator, and what follows from u, v and the weights."""


class ResidualFlow(Flow):
    """z = f(x), f a chain of residual blocks x + g(x) whose g contract; x = f^-1(z) by fixed-point iteration.

    `log_prob` estimates each block's log-determinant without bias by a power series of random length (Chen et al. 2019, eq. 6):
    at least 20 terms in eval mode, `exact_terms` while training, where gradients take the memory-light form of eq. 8 and the
    layers' norms are renewed first. Inside, bfloat16 autocast is off: an inverse needs its digits.

    Args:
        image_shape: (C, H, W); the latent has as many dimensions.
        blocks: Convolutional blocks of each scale; between scales 2 x 2 pixels become channels.
        hidden: Channels inside a block.
        kernels: Sides of a block's convolutions.
        activation: One of `ACTIVATIONS`.
        bound: Of each layer's norm.
        dense_end: Four blocks of fully connected layers at the end.
        dense_hidden: Numbers inside those.
        dense: All blocks are fully connected.
        preactivation: Blocks begin with an activation.
        first_block: Whether the first block, which follows the logit, is one that has an actnorm before it and no preactivation.
        actnorm: A learned scale and shift of each channel after each block.
        dense_actnorm: The same of each number.
        factor_out: After each scale but the last, half the channels are latents.
        squeeze_first: 2 x 2 pixels become channels before the first scale too.
        margin: alpha of logit(alpha + (1 - 2 alpha) x).
        levels: Grey values: 256 for 8-bit images.
        distribution: Of the random length: "poisson" or "geometric".
        exact_terms: Of the power series that are always there while training.
        series_terms: Its fixed length while training instead, which biases it; None for the random length.
        tolerance: Of the norms' power iteration.
        iterations: Of the power iteration; None to go by the tolerance.

    Raises:
        OptionError: If a name is unknown, a kernel even, or an image cannot be halved as often as there are scales.
    """

    files: ClassVar[tuple[str, ...]] = ("most_recent.pth", "models/most_recent.pth")

    def __init__(
        self,
        image_shape: Shape = (1, 28, 28),
        blocks: tuple[int, ...] = (4, 4),
        hidden: int = 32,
        kernels: tuple[int, ...] = (3, 1, 3),
        activation: str = "swish",
        bound: float = 0.98,
        dense_end: bool = True,
        dense_hidden: int = 64,
        dense: bool = False,
        preactivation: bool = True,
        first_block: bool = True,
        actnorm: bool = True,
        dense_actnorm: bool = False,
        factor_out: bool = False,
        squeeze_first: bool = True,
        margin: float = 0.05,
        levels: int = 256,
        distribution: str = "poisson",
        exact_terms: int = 2,
        series_terms: int | None = None,
        tolerance: float = 1e-3,
        iterations: int | None = None,
    ):
        config = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        super().__init__()
        halvings = len(blocks) - 1 + bool(squeeze_first)
        if any(side % 2**halvings for side in image_shape[1:]):
            raise OptionError(f"image_shape is {tuple(image_shape)}; its sides must be multiples of {2**halvings}")
        if activation not in ACTIVATIONS or distribution not in DISTRIBUTIONS:
            raise OptionError(
                f"activation is {activation!r} and distribution {distribution!r}; "
                f"choose of {', '.join(ACTIVATIONS)} and of {', '.join(DISTRIBUTIONS)}"
            )
        if any(kernel % 2 == 0 for kernel in kernels):
            raise OptionError(f"kernels are {tuple(kernels)}; a block keeps the image's size only if they are odd")
        self.config: dict[str, Any] = config
        channels, height, width = image_shape
        self.image_shape = (channels, height, width)
        self.latent_dim = math.prod(image_shape)
        self.levels, self.factor_out, self.squeeze_first = levels, factor_out, squeeze_first
        self.distribution, self.exact_terms, self.series_terms = distribution, exact_terms, series_terms

        block = partial(
            ResidualBlock, kernels=kernels, activation=activation, bound=bound, tolerance=tolerance, iterations=iterations
        )

        def actnorms(shape: Shape) -> Iterator[ActNorm]:
            if actnorm:
                yield ActNorm(shape if dense else (shape[0], 1, 1))
            if dense_actnorm:
                yield ActNorm(shape)

        shape = (channels * 4, height // 2, width // 2) if squeeze_first else self.image_shape
        scales: list[nn.ModuleList] = []
        self.latent_shapes: list[Shape] = []
        for scale, depth in enumerate(blocks):
            first, last = scale == 0, scale == len(blocks) - 1
            chain: list[nn.Module] = [Logit(margin)] if first else []
            chain += actnorms(shape) if first and first_block else []
            for i in range(depth):
                plain = first and first_block and i == 0 and not last and not dense
                chain += [block(shape, hidden, preactivation=preactivation and not plain, dense=dense), *actnorms(shape)]
            if not last:
                chain.append(Squeeze())
                shape = (shape[0] * (2 if factor_out else 4), shape[1] // 2, shape[2] // 2)
            elif dense_end:
                for _ in range(_DENSE_BLOCKS):
                    chain.append(block(shape, dense_hidden, preactivation=preactivation, dense=True))
                    chain += [ActNorm(shape)] if actnorm or dense_actnorm else []
            if last or factor_out:
                self.latent_shapes.append(shape)
            scales.append(nn.ModuleList(chain))
        self.scales: Any = nn.ModuleList(scales)

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        if is_state_dict(content):
            ours = any(re.match(r"transforms\.0\.chain\.\d+\.geom_p", name) for name in content)
            return ({}, _renamed(content)) if ours else None
        if not isinstance(content, dict) or not isinstance(args := content.get("args"), Inert) or "state_dict" not in content:
            return None
        options = args.state
        if not isinstance(options, dict) or not {"nblocks", "vnorms", "fc_idim"} <= options.keys():
            return None
        kernels = _integers(options["kernels"])
        for name, readable in (_READABLE | {"vnorms": "2" * (len(kernels) + 1)}).items():
            if name in options and options[name] != readable:
                raise CheckpointError(f"{path} is a Residual Flow with {name} {options[name]!r}; only {readable!r} is read")
        config = {ours: options[theirs] for ours, theirs in _OPTIONS.items()}
        data, side = options["data"], options["imagesize"]
        blocks = _integers(options["nblocks"])
        squeezed = side // 2 if options["squeeze_first"] else side
        config |= {
            "image_shape": (1 if data == "mnist" else 3, side, side),
            "blocks": blocks[: squeezed.bit_length() - 2],
            "kernels": kernels,
            "margin": 1e-6 if data == "mnist" else 0.05,
            "levels": grey_levels({"celeba_5bit": 5, "celebahq": options["nbits"]}.get(data, 8)),
        }
        state = content["state_dict"]
        averages = getattr(content.get("ema"), "state", {}).get("shadow_params", {})
        if not isinstance(averages, dict):
            averages = dict(zip((name for name in state if name.endswith(_PARAMETERS)), averages, strict=True))
        return config, _renamed(state | averages)

    @staticmethod
    def original_name(name: str) -> str:
        return re.sub(r"^scales\.(\d+)", r"transforms.\1.chain", name).replace("nnet", "nnet.nnet")

    def update_lipschitz(self) -> None:
        """Renews the norms of all layers by power iteration; `log_prob` does so while training."""
        with torch.autocast(self.device.type, enabled=False):
            for module in self.modules():
                if isinstance(module, LipschitzMap):
                    module.update()

    @torch.no_grad()
    def initialise(self, images: Tensor) -> None:
        """Sets the actnorms so that each gives these (dequantised) images (B, C, H, W) zero mean and unit variance."""
        norms = [module for module in self.modules() if isinstance(module, ActNorm)]
        hooks = [norm.register_forward_pre_hook(lambda norm, inputs: norm.initialise(inputs[0])) for norm in norms]
        self.encode(images)
        for hook in hooks:
            hook.remove()

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        with torch.autocast(latents.device.type, enabled=False):
            parts = latents.split([math.prod(shape) for shape in self.latent_shapes], dim=1)
            factors = [part.unflatten(1, shape) for part, shape in zip(parts, self.latent_shapes, strict=True)]
            x = factors.pop()
            for scale, chain in reversed(list(enumerate(self.scales))):
                if self.factor_out and scale < len(factors):
                    x = torch.cat([x, factors[scale]], dim=1)
                for layer in reversed(chain):
                    x = layer.inverse(x)
            return F.pixel_shuffle(x, 2) if self.squeeze_first else x

    def push(self, images: Tensor, log_det: LogDet) -> tuple[Tensor, Tensor]:
        """Latents (B, D) of images (B, C, H, W) and log |det dz/dx| (B,), each block's by `log_det`, called in the model's order.

        Raises:
            ShapeError: If the images have another size than the flow's.
        """
        if images.shape[1:] != self.image_shape:
            raise ShapeError(f"this flow takes images (B, {self.image_shape}), got {tuple(images.shape)}")
        with torch.autocast(images.device.type, enabled=False):
            x = F.pixel_unshuffle(images, 2) if self.squeeze_first else images
            total, latents = x.new_zeros(len(x)), []
            for scale, chain in enumerate(self.scales):
                for layer in chain:
                    x, gained = layer(x, log_det)
                    total = total + gained
                if self.factor_out and scale < len(self.scales) - 1:
                    x, factor = x.chunk(2, dim=1)
                    latents.append(factor.flatten(1))
            return torch.cat([*latents, x.flatten(1)], dim=1), total

    def encode(self, images: Tensor) -> Tensor:
        return self.push(images, lambda g, x: (g(x), x.new_zeros(len(x))))[0]

    def log_prob(self, images: Tensor, rng: Rng = None, exact: bool = False) -> Tensor:
        """Log-density (B,) in nats of images (B, C, H, W) in [0, 1], an unbiased estimate.

        Args:
            images: Dequantised.
            rng: Of the estimate: a torch.Generator, or int64 seeds (B,), one a sample; None for seeds made of the images'
                own numbers, so that an image always gets the same estimate.
            exact: By whole Jacobians: for tests, and images of few pixels.
        """
        if self.training:
            self.update_lipschitz()
        if exact:
            latents, log_det = self.push(images, by_jacobian)
        else:
            seeds = _hash(images) if rng is None else as_seeds(rng, len(images), images.device)
            latents, log_det = self.push(images, self._estimator(seeds))
        return log_det - 0.5 * (latents.square() + math.log(2 * math.pi)).sum(dim=1)

    def _estimator(self, seeds: Tensor) -> LogDet:
        """A `LogDet` to be called for one block after the other; while training all samples share the series' length."""
        keys = count()

        def estimate(g: Contraction, x: Tensor) -> tuple[Tensor, Tensor]:
            signs = uniform(derive(seeds, next(keys)), x[0].numel()).reshape(x.shape) < 0.5
            draws = uniform(derive(seeds, next(keys)), 1)[:, 0]
            if self.training and self.series_terms is not None:
                weights = x.new_ones(self.series_terms, 1)
            elif self.training:
                weights = roulette(draws[:1], self.exact_terms, self.distribution)
            else:
                weights = roulette(draws, _EXACT_TERMS_IN_EVAL, self.distribution)
            return by_power_series(g, x, signs.to(x.dtype) * 2 - 1, weights.to(x.dtype))

        return estimate


def _integers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("-")))


def _renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of the original code under our names."""
    return {
        re.sub(r"transforms\.(\d+)\.chain", r"scales.\1", name).replace("nnet.nnet", "nnet").replace("fc_module.", ""): tensor
        for name, tensor in state.items()
        if not name.endswith(_BOOKKEEPING)
    }


def _hash(images: Tensor) -> Tensor:
    """Seeds int64 (B,) that are a function of the images' numbers."""
    bits = images.detach().flatten(1).double().view(torch.int64)
    return (derive(bits, 0) * torch.arange(1, bits.shape[1] + 1, device=bits.device)).sum(dim=1)
