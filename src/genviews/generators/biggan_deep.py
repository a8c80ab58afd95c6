"""BigGAN-deep (Brock et al. 2019, appendix B), and the folders of huggingface/pytorch-pretrained-BigGAN."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import checkpoints
from ..errors import OptionError
from .base import Generator, Parts
from .biggan import Attention
from .sizes import widths

_COLOURS, _BOTTOM, _REDUCTION = 3, 4, 4


class _Norm(nn.Module):
    """BatchNorm with statistics for truncations from 0 to 1, whose gain and bias are linear in the condition, if there is one."""

    running_means: Tensor
    running_vars: Tensor

    def __init__(self, channels: int, num_statistics: int, eps: float, condition_dim: int | None = None):
        super().__init__()
        self.eps = eps
        self.register_buffer("running_means", torch.zeros(num_statistics, channels))
        self.register_buffer("running_vars", torch.ones(num_statistics, channels))
        self.weight = self.bias = None
        if condition_dim is None:
            self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        else:
            self.scale = nn.Linear(condition_dim, channels, bias=False)
            self.offset = nn.Linear(condition_dim, channels, bias=False)

    def forward(self, x: Tensor, truncation: float, condition: Tensor | None = None) -> Tensor:
        mean, variance = _at(truncation, self.running_means), _at(truncation, self.running_vars)
        x = F.batch_norm(x, mean, variance, self.weight, self.bias, self.training, eps=self.eps)
        if condition is None:
            return x
        return torch.addcmul(self.offset(condition)[..., None, None], x, 1 + self.scale(condition)[..., None, None])


def _at(truncation: float, statistics: Tensor) -> Tensor:
    """The row of statistics (n, C) for a truncation; between two rows the original swaps their weights, and so must this."""
    steps = len(statistics) - 1
    fraction, index = math.modf(truncation / (1 / steps)) if steps else (0.0, 0.0)
    row = statistics[int(index)]
    return torch.lerp(statistics[int(index) + 1], row, fraction) if fraction else row


class _Block(nn.Module):
    """A bottleneck block: (B, inner, S, S) -> (B, outer, S, S), or twice the side if it is `up`."""

    def __init__(self, inner: int, outer: int, up: bool, condition_dim: int, num_statistics: int, eps: float):
        super().__init__()
        self.outer, self.up = outer, up
        middle = inner // _REDUCTION
        self.bn_0 = _Norm(inner, num_statistics, eps, condition_dim)
        self.conv_0 = nn.Conv2d(inner, middle, 1)
        self.bn_1 = _Norm(middle, num_statistics, eps, condition_dim)
        self.conv_1 = nn.Conv2d(middle, middle, 3, padding=1)
        self.bn_2 = _Norm(middle, num_statistics, eps, condition_dim)
        self.conv_2 = nn.Conv2d(middle, middle, 3, padding=1)
        self.bn_3 = _Norm(middle, num_statistics, eps, condition_dim)
        self.conv_3 = nn.Conv2d(middle, outer, 1)

    def forward(self, x: Tensor, truncation: float, condition: Tensor) -> Tensor:
        moved = self.conv_0(self.bn_0(x, truncation, condition).relu())
        moved = self.bn_1(moved, truncation, condition).relu()
        x = x[:, : self.outer]
        if self.up:
            moved, x = F.interpolate(moved, scale_factor=2), F.interpolate(x, scale_factor=2)
        moved = self.conv_2(self.bn_2(self.conv_1(moved), truncation, condition).relu())
        return x + self.conv_3(self.bn_3(moved, truncation, condition).relu())


class BigGANDeep(Generator):
    """A class and a latent become an image; with less truncation psi, a more typical one.

    Spectral norm is taken into the weights when a public file is read, for it only serves training. Latents are drawn as the
    original draws them, from a normal truncated at two standard deviations, times psi, which is 1 unless it was `truncated`;
    BatchNorm takes the statistics it has for that psi.

    Args:
        channels: Into the first block and out of each; no block gives out more than it takes.
        upsample: For each block, whether it doubles the side, which is 4 at first.
        attention: Attention comes before this block; None for none.
        latent_dim: D, also the size of a class's embedding.
        num_classes: K.
        num_statistics: For how many truncations, evenly from 0 to 1, BatchNorm has statistics; 1 has the same for all.
        eps: Of BatchNorm.
        image_channels: C.
    """

    files: ClassVar[tuple[str, ...]] = ("*model.bin",)
    truncation: float | None = 1.0

    telltales = frozenset({"embeddings.weight", "generator.gen_z.weight_orig", "generator.conv_to_rgb.weight_orig"})

    def __init__(
        self,
        channels: Sequence[int] = (128, 128, 128, 128, 64, 64, 32),
        upsample: Sequence[bool] = (False, True, False, True, False, True),
        attention: int | None = 4,
        latent_dim: int = 128,
        num_classes: int = 10,
        num_statistics: int = 1,
        eps: float = 1e-4,
        image_channels: int = _COLOURS,
    ):
        super().__init__()
        if any(outer > inner for inner, outer in pairwise(channels)):
            raise OptionError(f"channels are {list(channels)}; a block cannot give out more than it takes")
        side = _BOTTOM << sum(map(bool, upsample))
        self.image_shape = (image_channels, side, side)
        self.latent_dim, self.num_conditions = latent_dim, num_classes
        self.config = {
            "channels": list(channels),
            "upsample": list(upsample),
            "attention": attention,
            "latent_dim": latent_dim,
            "num_classes": num_classes,
            "num_statistics": num_statistics,
            "eps": eps,
            "image_channels": image_channels,
        }
        self.embeddings = nn.Embedding(num_classes, latent_dim)
        self.gen_z = nn.Linear(2 * latent_dim, _BOTTOM**2 * channels[0])
        layers: list[nn.Module] = [
            _Block(inner, outer, up, 2 * latent_dim, num_statistics, eps)
            for (inner, outer), up in zip(pairwise(channels), upsample, strict=True)
        ]
        if attention is not None:
            layers.insert(attention, Attention(channels[attention]))
        self.layers = nn.ModuleList(layers)
        self.bn = _Norm(channels[-1], num_statistics, eps)
        self.conv_to_rgb = nn.Conv2d(channels[-1], image_channels, 3, padding=1)

    @classmethod
    def for_images(cls, image_shape: tuple[int, int, int], conditions: Any = None, **options: Any) -> Generator:
        *inner, last = widths(image_shape, 32)
        channels = [width for width in inner for _ in range(2)] + [last]
        small: Any = {"channels": channels, "upsample": [False, True] * len(inner), "attention": None, "latent_dim": 32}
        return cls(num_classes=conditions, image_channels=image_shape[0], **small | options)

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        if not checkpoints.is_state_dict(content):
            return None
        if not cls.telltales <= content.keys():
            return None
        state = _state(content)
        count = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("layers."))
        attention = next((i for i in range(count) if f"layers.{i}.gamma" in state), None)
        convs = [state[f"layers.{i}.conv_3.weight"] for i in range(count) if i != attention]
        options = _options(path)
        layers = options.get("layers", [(i % 2, None, None) for i in range(len(convs))])
        config = {
            "channels": [len(state["gen_z.weight"]) // _BOTTOM**2, *map(len, convs)],
            "upsample": [bool(up) for up, _, _ in layers],
            "attention": attention,
            "latent_dim": state["embeddings.weight"].shape[1],
            "num_classes": len(state["embeddings.weight"]),
            "num_statistics": len(state["bn.running_means"]),
            "eps": options.get("eps", 1e-4),
        }
        return config, state

    @staticmethod
    def original_name(name: str) -> str:
        if name == "embeddings.weight":
            return name
        return "generator." + re.sub(r"\b(conv_\w+|gen_z|scale|offset)\.weight$", r"\1.weight_orig", name)

    def truncated(self, psi: float) -> Self:
        if not 0 < psi <= 1:
            raise OptionError(f"truncation is {psi}; BigGAN-deep has statistics for those above 0, up to 1")
        return super().truncated(psi)

    def render(self, latents: Tensor, embedding: Tensor) -> Tensor:
        """Images (B, C, H, W) of latents (B, D) and class embeddings (B, D): of soft classes, classes @ embeddings.weight."""
        truncation = 1.0 if self.truncation is None else self.truncation
        condition = torch.cat([latents, embedding], dim=1)
        x = self.gen_z(condition).unflatten(1, (_BOTTOM, _BOTTOM, -1)).permute(0, 3, 1, 2)
        for layer in self.layers:
            x = layer(x, truncation, condition) if isinstance(layer, _Block) else layer(x)
        return (self.conv_to_rgb(self.bn(x, truncation).relu()).tanh() + 1) / 2

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        return self.render(latents, self.embeddings(cast(Tensor, condition)))

    def first_weights(self) -> list[Tensor]:
        """As `Generator.first_weights`: of the first layer and of each gain and bias."""
        wide = [m for m in self.modules() if isinstance(m, nn.Linear) and m.in_features == 2 * self.latent_dim]
        return [layer.weight[:, : self.latent_dim] for layer in wide]


def _options(path: Path) -> dict[str, Any]:
    """`config.json` beside `pytorch_model.bin`, or `<name>-config.json` beside `<name>-pytorch_model.bin`; nothing if missing."""
    file = path.with_name(re.sub(r"(pytorch_)?model\.bin$", "config.json", path.name))
    if file == path or not file.is_file():
        return {}
    return checkpoints.read_json(file)


def _state(content: dict[str, Tensor]) -> dict[str, Tensor]:
    """The original's tensors by our names, spectral norm (Miyato et al. 2018) taken into the weights."""
    state = {}
    for name, tensor in content.items():
        stem = name.removesuffix("_orig")
        if stem != name:
            tensor = tensor / (content[f"{stem}_u"] @ tensor.flatten(1) @ content[f"{stem}_v"])
        elif name.endswith(("weight_u", "weight_v")):
            continue
        state[re.sub(r"snconv1x1_([a-z]+?)(_conv)?\.", r"\1.", stem.removeprefix("generator."))] = tensor
    for name in state:
        if name.endswith(".gamma"):
            state[name] = state[name].squeeze()
    state["embeddings.weight"] = state["embeddings.weight"].t()
    for name in ("conv_to_rgb.weight", "conv_to_rgb.bias"):  # the original throws the other channels away
        state[name] = state[name][:_COLOURS]
    return state
