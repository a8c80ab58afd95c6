"""ViewMaker (Tamkin et al. 2021): a T_x that learns, a network that adds a perturbation of bounded size to an image."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoints import building, is_state_dict, read, read_model, write_model
from ..errors import CheckpointError, OptionError, ShapeError, require_positive
from ..randomness import Rng, as_seeds, derive, uniform
from .augmentation import Augmentation, Recipe

SMALLEST = 8
"""Side in pixels below which its convolutions have nothing to mirror."""


def convolution(into: int, out: int, kernel: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """Mirrored at the border; without a bias where an InstanceNorm would remove it."""
    return nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=bias, padding_mode="reflect")


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1, self.conv2 = convolution(channels, channels, 3), convolution(channels, channels, 3)
        self.in1, self.in2 = nn.InstanceNorm2d(channels, affine=True), nn.InstanceNorm2d(channels, affine=True)
        self.in2.register_parameter("bias", None)  # a constant that the next InstanceNorm removes

    def forward(self, x: Tensor) -> Tensor:
        return x + self.in2(self.conv2(F.relu(self.in1(self.conv1(x)))))


class Viewmaker(nn.Module):
    """V(x) = x + budget * tanh(y) / (mean |tanh(y)| + 1e-4): the perturbation's mean absolute size is the budget in each image.

    y is what a network makes of x and uniform noise: a 9x9 convolution and two 3x3 of stride 2, residual blocks, two 3x3 after
    upsampling and a 9x9, mirrored at the border, with InstanceNorm and ReLU. A channel of noise joins the image, and one more the
    input of each block.

    Args:
        channels: C of the images.
        budget: Of the perturbation, a share of the range from black to white.
        widths: Channels at full, half and quarter size.
        blocks: Residual blocks.
        clamp: Views are clamped to [0, 1]; the authors' run on CIFAR-10 lets them overshoot.
        size: Side of the views, to which images are resized first; None keeps the images'.

    Raises:
        OptionError: If a number is not positive.
    """

    def __init__(
        self,
        channels: int = 3,
        budget: float = 0.05,
        widths: Sequence[int] = (32, 64, 128),
        blocks: int = 3,
        clamp: bool = True,
        size: int | None = None,
    ):
        super().__init__()
        if len(widths) != 3 or min(widths) < 1:
            raise OptionError(f"widths are {widths}; give three numbers of channels, such as (32, 64, 128)")
        require_positive(channels=channels, budget=budget, blocks=blocks)
        self.config: dict[str, Any] = {"channels": channels, "budget": budget, "widths": list(widths), "blocks": blocks}
        self.config |= {"clamp": clamp, "size": size}
        self.channels, self.budget, self.blocks, self.clamp = channels, budget, blocks, clamp
        self.resize = Augmentation(Recipe(), size)
        full, half, quarter = widths
        self.conv1, self.in1 = convolution(channels + 1, full, 9), nn.InstanceNorm2d(full, affine=True)
        self.conv2, self.in2 = convolution(full, half, 3, 2), nn.InstanceNorm2d(half, affine=True)
        self.conv3, self.in3 = convolution(half, quarter, 3, 2), nn.InstanceNorm2d(quarter, affine=True)
        for block in range(1, blocks + 1):
            self.add_module(f"res{block}", Residual(quarter + block))
        self.deconv1, self.in4 = convolution(quarter + blocks, half, 3), nn.InstanceNorm2d(half, affine=True)
        self.deconv2, self.in5 = convolution(half, full, 3), nn.InstanceNorm2d(full, affine=True)
        self.deconv3 = convolution(full, channels, 9, bias=True)

    def forward(self, images: Tensor, rng: Rng = None) -> Tensor:
        """A view of each image.

        Args:
            images: float32 (B, C, H, W) in [0, 1].
            rng: Of the noise: a torch.Generator, or int64 seeds (B,), one a sample.

        Returns:
            float32 (B, C, H, W) or of the side `size`; in [0, 1] with `clamp`.

        Raises:
            ShapeError: If the images have other channels, or are smaller than 8 px.
        """
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise ShapeError(f"this ViewMaker is for images (B, {self.channels}, H, W), got {tuple(images.shape)}; train another")
        images = self.resize(images)
        height, width = images.shape[2:]
        if min(height, width) < SMALLEST:
            raise ShapeError(f"a ViewMaker needs images of at least {SMALLEST} px, got {height} x {width}; pass a larger size")
        seeds = as_seeds(rng, len(images), images.device)
        sizes = [(height, width)] + self.blocks * [(-(-height // 4), -(-width // 4))]
        noise = [uniform(derive(seeds, i), h * w).view(-1, 1, h, w) for i, (h, w) in enumerate(sizes)]
        views = images + self.perturbation(images, noise)
        return views.clamp(0, 1) if self.clamp else views

    def perturbation(self, images: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """budget * tanh(y) / (mean |tanh(y)| + 1e-4).

        Args:
            images: (B, C, H, W).
            noise: (B, 1, H, W), and for each block (B, 1, H / 4, W / 4), rounded up; uniform in [0, 1).

        Returns:
            float32 (B, C, H, W).
        """
        first, *others = noise
        y = F.relu(self.in1(self.conv1(torch.cat([images, first], 1))))
        half = F.relu(self.in2(self.conv2(y)))
        y = F.relu(self.in3(self.conv3(half)))
        for block, channel in enumerate(others, 1):
            y = self.get_submodule(f"res{block}")(torch.cat([y, channel], 1))
        y = F.relu(self.in4(self.deconv1(F.interpolate(y, half.shape[2:]))))
        y = F.relu(self.in5(self.deconv2(F.interpolate(y, images.shape[2:]))))
        delta = self.deconv3(y).float().tanh()
        return self.budget * delta / (delta.abs().mean((1, 2, 3), keepdim=True) + 1e-4)


def save(viewmaker: Viewmaker, folder: str | Path) -> None:
    """Writes a ViewMaker as `model.safetensors` and `model.json`, which `load` opens."""
    write_model(folder, viewmaker, kind="viewmaker", config=viewmaker.config)


def load(path: str | Path, size: int | None = None) -> Viewmaker:
    """Opens a ViewMaker.

    Args:
        path: A folder by `save`, such as the viewmaker/ of `pretrain --method viewmaker`, or a checkpoint by
            github.com/alextamkin/viewmaker, whose views overshoot as in the authors' run.
        size: Side of its views; None keeps what it was trained for, or the images'.

    Returns:
        Frozen, on the CPU.

    Raises:
        CheckpointError: If the file is missing, damaged, or holds no ViewMaker.
        UnsafeFileError: If it would run code when read.
    """
    path = Path(path)
    with building(path):
        config, weights = _saved(path) if path.is_dir() else _original(path)
        viewmaker = Viewmaker(**config | ({"size": size} if size else {}))
        viewmaker.load_state_dict(weights)
    return viewmaker.eval().requires_grad_(False)


def _saved(path: Path) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
    description, weights = read_model(path)
    if description.get("kind") != "viewmaker":
        raise CheckpointError(f"{path} is of kind {description.get('kind')!r}, no ViewMaker; name the viewmaker/ of a run")
    return description["config"], weights


def _original(path: Path) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
    """Arguments and weights from the authors' names, without biases that InstanceNorm removes and blocks that nothing runs."""
    content = read(path)
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not is_state_dict(state) or "viewmaker.conv1.conv2d.weight" not in state:
        raise CheckpointError(f"{path} holds no ViewMaker; name a folder by save, or a checkpoint of the authors'")
    theirs = {name[10:].replace(".conv2d.", "."): tensor for name, tensor in state.items() if name.startswith("viewmaker.")}
    full, half, quarter = (len(theirs[f"conv{i}.weight"]) for i in (1, 2, 3))
    config: dict[str, Any] = {
        "channels": theirs["conv1.weight"].shape[1] - 1,
        "widths": (full, half, quarter),
        "blocks": theirs["deconv1.weight"].shape[1] - quarter,
        "clamp": False,
    }
    needed = Viewmaker(**config).state_dict()
    return config, {name: theirs[name] for name in needed}
