"""BigGAN (Brock et al. 2019): the files of BigGAN-PyTorch, of those built on it, and BigBiGAN's by pytorch-pretrained-gans."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import checkpoints
from ..errors import CheckpointError, OptionError
from .base import Generator, Parts
from .sizes import widths

FEATURES = 2048
"""Numbers of an instance's features, a ResNet-50's, in every IC-GAN."""


class Attention(nn.Module):
    """Each pixel's look at a quarter of all: x + gamma * o(softmax(theta(x)^T phi(x)) g(x)), Zhang et al. 2019."""

    def __init__(self, channels: int):
        super().__init__()
        self.theta = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.phi = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.g = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.o = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        queries = self.theta(x).flatten(2)
        keys = F.max_pool2d(self.phi(x), 2).flatten(2)
        values = F.max_pool2d(self.g(x), 2).flatten(2)
        seen = values @ (queries.mT @ keys).softmax(-1).mT
        return x + self.gamma * self.o(seen.unflatten(2, x.shape[2:]))


class _Norm(nn.Module):
    """BatchNorm whose gain and bias are linear in the condition (B, condition_dim)."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, condition_dim: int, eps: float):
        super().__init__()
        self.eps = eps
        self.gain = nn.Linear(condition_dim, channels, bias=False)
        self.bias = nn.Linear(condition_dim, channels, bias=False)
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        x = F.batch_norm(x, self.running_mean, self.running_var, training=self.training, eps=self.eps)
        return torch.addcmul(self.bias(condition)[..., None, None], x, 1 + self.gain(condition)[..., None, None])


class _Block(nn.Module):
    """A residual block that doubles the side: (B, inner, S, S) -> (B, outer, 2S, 2S)."""

    def __init__(self, inner: int, outer: int, condition_dim: int, eps: float):
        super().__init__()
        self.bn1 = _Norm(inner, condition_dim, eps)
        self.conv1 = nn.Conv2d(inner, outer, 3, padding=1)
        self.bn2 = _Norm(outer, condition_dim, eps)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1)
        self.conv_sc = nn.Conv2d(inner, outer, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        moved = self.conv1(F.interpolate(self.bn1(x, condition).relu(), scale_factor=2))
        moved = self.conv2(self.bn2(moved, condition).relu())
        return moved + F.interpolate(self.conv_sc(x), scale_factor=2)


class Backbone(nn.Module):
    """What BigGAN and IC-GAN share: a latent and the embedding of its condition become an image.

    Args:
        condition_dim: E, the size of the embedding.
        channels: Into the first block and out of each.
        attention: Sides of the images, among those the blocks give out, after which attention follows.
        latent_dim: D.
        hierarchical: Cut the latent into equal parts, one for the first layer and one for each block's condition.
        bottom: Side of the first block's input.
        image_channels: C.
        eps: Of the blocks' BatchNorm.

    Raises:
        OptionError: If the latent cannot be cut, or no block gives out a side of `attention`.
    """

    def __init__(
        self,
        condition_dim: int,
        *,
        channels: Sequence[int] = (128, 128, 128, 128),
        attention: Sequence[int] = (16,),
        latent_dim: int = 128,
        hierarchical: bool = True,
        bottom: int = 4,
        image_channels: int = 3,
        eps: float = 1e-5,
    ):
        super().__init__()
        sides = [bottom * 2**i for i in range(1, len(channels))]
        if not set(attention) <= set(sides):
            raise OptionError(f"attention is at {list(attention)}; the blocks give out {sides}")
        if hierarchical and latent_dim % len(channels):
            raise OptionError(f"latent_dim {latent_dim} is no multiple of {len(channels)}, the parts of a hierarchical latent")
        self.config: dict[str, Any] = {
            "channels": list(channels),
            "attention": list(attention),
            "latent_dim": latent_dim,
            "hierarchical": hierarchical,
            "bottom": bottom,
            "image_channels": image_channels,
            "eps": eps,
        }
        self.latent_dim = latent_dim
        self.image_shape = (image_channels, sides[-1], sides[-1])
        part = latent_dim // len(channels) if hierarchical else 0
        self.linear = nn.Linear(part or latent_dim, channels[0] * bottom**2)
        self.blocks: Any = nn.ModuleList(
            nn.ModuleList([_Block(inner, outer, condition_dim + part, eps), *([Attention(outer)] if side in attention else [])])
            for (inner, outer), side in zip(pairwise(channels), sides, strict=True)
        )
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(channels[-1]), nn.ReLU(), nn.Conv2d(channels[-1], image_channels, 3, padding=1)
        )

    def forward(self, latents: Tensor, embedding: Tensor) -> Tensor:
        """Latents (B, D) and embeddings (B, E) -> images (B, C, H, W) in [0, 1]."""
        first, *parts = latents.split(self.linear.in_features, dim=1)
        conditions = [torch.cat([embedding, part], dim=1) for part in parts] or [embedding] * len(self.blocks)
        x = self.linear(first).unflatten(1, (-1, self.config["bottom"], self.config["bottom"]))
        for (block, *attention), condition in zip(self.blocks, conditions, strict=True):
            x = block(x, condition)
            for layer in attention:
                x = layer(x)
        return (self.output_layer(x).tanh() + 1) / 2

    def first_weights(self) -> list[Tensor]:
        """As `Generator.first_weights`: of the first layer and, if hierarchical, of each block's norms."""
        part = self.linear.in_features
        weights = [self.linear.weight]
        if self.config["hierarchical"]:
            norms = [(block.bn1, block.bn2) for block, *_ in self.blocks]
            weights += [torch.cat([m.weight[:, -part:] for n in pair for m in (n.gain, n.bias)]) for pair in norms]
        return [F.pad(weight, (i * part, self.latent_dim - (i + 1) * part)) for i, weight in enumerate(weights)]


def small(image_shape: tuple[int, int, int]) -> dict[str, Any]:
    """The arguments of a `Backbone` for images (C, H, W) that a CPU trains."""
    channels = widths(image_shape, 16)
    return {"channels": channels, "attention": [], "latent_dim": 16 * len(channels), "image_channels": image_shape[0]}


class BigGAN(Generator):
    """A class and a latent become an image.

    Spectral norm is taken into the weights when a public file is read, for it only serves training. A file without its
    `state_dict*.pth` beside it is taken for BigBiGAN's or a converted one: class 0 unless told otherwise, eps 1e-4; but one named
    `G_ema*` for BigGAN-PyTorch's with its default options: conditional, eps 1e-5.

    Args:
        num_classes: K.
        embedding_dim: E of the embedding of classes; None for one-hot classes.
        conditional: Whether latents must come with a class; else class 0 is the default, as BigBiGAN is sampled.
        backbone: Of `Backbone`.
    """

    files: ClassVar[tuple[str, ...]] = ("G_ema_best*.pth", "G_ema*.pth", "BigBiGAN*.pth")

    telltales = frozenset({"linear.weight", "blocks.0.0.conv_sc.weight", "blocks.0.0.bn1.gain.weight", "output_layer.2.weight"})

    def __init__(self, num_classes: int = 10, embedding_dim: int | None = 128, conditional: bool = True, **backbone: Any):
        super().__init__()
        self.shared = None if embedding_dim is None else nn.Embedding(num_classes, embedding_dim)
        self.net = Backbone(embedding_dim or num_classes, **backbone)
        self.num_classes = num_classes
        self.num_conditions, self.default_condition = (num_classes, None) if conditional else (None, 0)
        self.latent_dim, self.image_shape = self.net.latent_dim, self.net.image_shape
        own = {"num_classes": num_classes, "embedding_dim": embedding_dim, "conditional": conditional}
        self.config = own | self.net.config

    @classmethod
    def for_images(cls, image_shape: tuple[int, int, int], conditions: Any = None, **options: Any) -> Generator:
        return cls(num_classes=conditions, **small(image_shape) | options)

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        file = read(content, path)
        if file is None or file.by_instance:
            return None
        state = {name: tensor for name, tensor in file.state.items() if not name.startswith("shared_feat.")}
        shared, gain = state.get("shared.weight"), state["net.blocks.0.0.bn1.gain.weight"]
        config = {
            "num_classes": gain.shape[1] if shared is None else len(shared),
            "embedding_dim": None if shared is None else shared.shape[1],
            "conditional": (bool(file.options) or _is_default(path)) and not file.options.get("constant_conditioning"),
        }
        return config | file.backbone, state

    @staticmethod
    def original_name(name: str) -> str:
        return name.removeprefix("net.").replace("running_", "stored_")

    def embed(self, condition: Tensor) -> Tensor:
        """The embeddings (B, E) of classes (B,)."""
        if self.shared is not None:
            return self.shared(condition)
        return F.one_hot(condition, self.num_classes).to(self.net.linear.weight.dtype)

    def render(self, latents: Tensor, embedding: Tensor) -> Tensor:
        """Images (B, C, H, W) of latents (B, D) and embeddings (B, E), between those of classes if you like."""
        return self.net(latents, embedding)

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        return self.render(latents, self.embed(cast(Tensor, condition)))

    def first_weights(self) -> list[Tensor]:
        return self.net.first_weights()


@dataclass(frozen=True)
class File:
    """A file of BigGAN-PyTorch or IC-GAN.

    Attributes:
        backbone: The arguments of `Backbone`.
        state: The state dict, its backbone's names under "net.", spectral norm taken into the weights.
        by_class: Whether it is conditioned on classes.
        by_instance: Whether it is conditioned on instances.
        options: What the original project left beside it.
    """

    backbone: dict[str, Any]
    state: dict[str, Tensor]
    by_class: bool
    by_instance: bool
    options: dict[str, Any]


def read(content: Any, path: Path) -> File | None:
    """What a file of BigGAN-PyTorch or IC-GAN holds, None if it is of another project.

    Raises:
        CheckpointError: If its options are damaged or its norms are of a kind that no published file has.
    """
    if not checkpoints.is_state_dict(content):
        return None
    raw = {_renamed(name): tensor for name, tensor in content.items()}
    if not BigGAN.telltales <= raw.keys():
        return None
    options = _options(path)
    if options.get("norm_style", "bn") != "bn":
        raise CheckpointError(f"{path} normalises by {options['norm_style']!r}; only BatchNorm, 'bn', can be read")
    hierarchical, by_class, by_instance = _conditioning(raw, options, path)
    default_eps = 1e-5 if options or by_instance or _is_default(path) else 1e-4
    blocks = [raw[f"blocks.{i}.0.conv1.weight"] for i in range(sum(name.endswith(".conv_sc.weight") for name in raw))]
    channels = [blocks[0].shape[1], *map(len, blocks)]
    bottom = math.isqrt(len(raw["linear.weight"]) // channels[0])
    backbone = {
        "channels": channels,
        "attention": [bottom * 2 ** (i + 1) for i in range(len(blocks)) if f"blocks.{i}.1.gamma" in raw],
        "latent_dim": raw["linear.weight"].shape[1] * (len(channels) if hierarchical else 1),
        "hierarchical": hierarchical,
        "bottom": bottom,
        "image_channels": len(raw["output_layer.2.weight"]),
        "eps": options.get("BN_eps", default_eps),
    }
    state = {"net.output_layer.0.num_batches_tracked": torch.tensor(0)}
    for name, tensor in raw.items():
        if re.search(r"\.(u\d+|sv\d+|num_batches_tracked|accumulation_counter)$", name):
            continue
        stem = name.removesuffix("weight")
        u = raw.get(f"{stem}u0")
        if u is None and f"{stem}sv0" in raw:
            raise CheckpointError(f"{path} lacks {stem}u0, without which its spectral norm is unknown; it is damaged")
        if u is not None:
            tensor = _normalised(tensor, u, options.get("SN_eps", default_eps))
        if "shared.weight" not in raw and re.search(r"\.bn\d\.(gain|bias)\.weight$", name):
            tensor = tensor.t()  # the norms' own embeddings of classes, which are linear in one-hot classes
        state[name if name.startswith("shared") else f"net.{name}"] = tensor
    return File(backbone, state, by_class, by_instance, options)


def _renamed(name: str) -> str:
    """Whatever kind of BatchNorm it was trained with (`mybn`, `cross_replica`), its statistics are called the same."""
    name = name.replace(".bn.", ".").replace(".stored_", ".running_")
    return name.replace("output_layer.0.gain", "output_layer.0.weight")


def _is_default(path: Path) -> bool:
    """Whether a file that came without its options is BigGAN-PyTorch's by its name, and not BigBiGAN's."""
    return path.name.startswith("G_ema")


def _options(path: Path) -> dict[str, Any]:
    """The options of a `G_ema*.pth` out of the `state_dict*.pth` beside it."""
    if path.name.startswith("G"):
        own = path.with_name(re.sub("^G(_ema)?", "state_dict", path.name))
        for file in (own, *sorted(path.parent.glob("state_dict*.pth"))):
            if file.is_file():
                content = checkpoints.read(file)
                if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
                    raise CheckpointError(f"{file} has no config, the options of {path.name}; download it again")
                return content["config"]
    return {}


def _conditioning(raw: dict[str, Tensor], options: dict[str, Any], path: Path) -> tuple[bool, bool, bool]:
    """Whether it is hierarchical, conditioned on classes and on instances: what its widths and options allow."""
    if "shared.weight" not in raw:
        return False, True, False
    part, width = raw["linear.weight"].shape[1], raw["blocks.0.0.bn1.gain.weight"].shape[1]
    by_class, by_instance = raw["shared.weight"].shape[1], len(raw.get("shared_feat.weight", range(FEATURES)))
    for hierarchical in (True, False):
        for classes, instances in ((False, True), (True, True), (True, False)):
            said = {"hier": hierarchical, "class_cond": classes, "instance_cond": instances}
            fits = width == part * hierarchical + by_class * classes + by_instance * instances
            if fits and all(options.get(name, value) == value for name, value in said.items()):
                return hierarchical, classes, instances
    raise CheckpointError(f"{path} has conditions of {width} numbers, which its embeddings do not make; it is damaged")


def _normalised(weight: Tensor, u: Tensor, eps: float) -> Tensor:
    """The weight over its largest singular value, estimated by one power iteration (Miyato et al. 2018) from u (1, rows)."""
    matrix = weight.flatten(1)
    right = F.normalize(u @ matrix, eps=eps)
    left = F.normalize(right @ matrix.T, eps=eps)
    return weight / (right @ matrix.T @ left.T).squeeze()
