"""StyleGAN2 as its authors wrote it: weights of each sample's own in a grouped convolution, filters over zero-stuffed images.

States have the names and shapes of the original files.
"""

import math
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from genviews.unpickling import Inert


def upfirdn(x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
    """Stuffs with zeros, pads (or crops), convolves with the kernel and takes every down-th pixel, channel by channel."""
    batch, channels, height, width = x.shape
    stuffed = F.pad(x.reshape(-1, 1, height, 1, width, 1), (0, up - 1, 0, 0, 0, up - 1))
    padded = F.pad(stuffed.reshape(-1, 1, height * up, width * up), (*pad, *pad))
    out = F.conv2d(padded, kernel.flip(0, 1)[None, None])[:, :, ::down, ::down]
    return out.reshape(batch, channels, *out.shape[2:])


def kernel_of(taps: Tensor) -> Tensor:
    kernel = taps[:, None] * taps[None, :] if taps.ndim == 1 else taps
    return kernel / kernel.sum()


def upsample(x: Tensor, kernel: Tensor) -> Tensor:
    surplus = len(kernel) - 2
    return upfirdn(x, 4 * kernel, up=2, pad=((surplus + 1) // 2 + 1, surplus // 2))


def linear(x: Tensor, weight: Tensor, bias: Tensor, rate: float = 1.0) -> Tensor:
    return F.linear(x, weight * (rate / math.sqrt(weight.shape[1])), bias * rate)


def lrelu(x: Tensor, clamp: float | None = None, gain: float = 1.0) -> Tensor:
    x = F.leaky_relu(x, 0.2) * math.sqrt(2) * gain
    return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)


def unit(x: Tensor) -> Tensor:
    return x / (x.pow(2).mean(1, keepdim=True) + 1e-8).sqrt()


def modulated(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool = True, kernel: Tensor | None = None) -> Tensor:
    """The modulated convolution of the paper's equations 1 and 3; with a kernel, to twice the size."""
    batch, inputs, height, width = x.shape
    outputs, _, size, _ = weight.shape
    weights = weight[None] / math.sqrt(inputs * size**2) * style[:, None, :, None, None]
    if demodulate:
        weights = weights * (weights.pow(2).sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    x = x.reshape(1, batch * inputs, height, width)
    if kernel is None:
        out = F.conv2d(x, weights.flatten(0, 1), padding=size // 2, groups=batch)
        return out.reshape(batch, outputs, height, width)
    out = F.conv_transpose2d(x, weights.transpose(1, 2).flatten(0, 1), stride=2, groups=batch)
    surplus = len(kernel) - 4
    out = out.reshape(batch, outputs, *out.shape[2:])
    return upfirdn(out, 4 * kernel, pad=((surplus + 1) // 2 + 1, surplus // 2 + 1))


def rosinality_mapping(state: dict[str, Tensor], latents: Tensor, rate: float = 0.01) -> Tensor:
    x, layer = unit(latents), 1
    while f"style.{layer}.weight" in state:
        x = lrelu(linear(x, state[f"style.{layer}.weight"], state[f"style.{layer}.bias"], rate))
        layer += 1
    return x


def rosinality(state: dict[str, Tensor], styles: Tensor) -> Tensor:
    """Images (B, C, H, W), about [-1, 1], of w+ (B, layers, w_dim), with the noise of the file."""

    def conv(x: Tensor, name: str, layer: int) -> Tensor:
        style = linear(styles[:, layer], state[f"{name}.conv.modulation.weight"], state[f"{name}.conv.modulation.bias"])
        kernel = state.get(f"{name}.conv.blur.kernel")
        out = modulated(x, state[f"{name}.conv.weight"][0], style, kernel=None if kernel is None else kernel / 4)
        out = out + state[f"{name}.noise.weight"] * state[f"noises.noise_{layer}"]
        return lrelu(out + state[f"{name}.activate.bias"][None, :, None, None])

    def to_rgb(x: Tensor, name: str, layer: int) -> Tensor:
        style = linear(styles[:, layer], state[f"{name}.conv.modulation.weight"], state[f"{name}.conv.modulation.bias"])
        return modulated(x, state[f"{name}.conv.weight"][0], style, demodulate=False) + state[f"{name}.bias"]

    x = conv(state["input.input"].repeat(len(styles), 1, 1, 1), "conv1", 0)
    image, block = to_rgb(x, "to_rgb1", 1), 0
    while f"to_rgbs.{block}.bias" in state:
        x = conv(x, f"convs.{2 * block}", 2 * block + 1)
        x = conv(x, f"convs.{2 * block + 1}", 2 * block + 2)
        image = upsample(image, state[f"to_rgbs.{block}.upsample.kernel"] / 4) + to_rgb(x, f"to_rgbs.{block}", 2 * block + 3)
        block += 1
    return image


def rosinality_state(
    w_dim: int = 12,
    depth: int = 3,
    channels: tuple[int, ...] = (8, 6, 4),
    colours: int = 3,
    taps: tuple[float, ...] = (1, 3, 3, 1),
) -> dict[str, Tensor]:
    """A random generator; as in the original, `taps` are those of the convolutions only."""
    state: dict[str, Tensor] = {}
    for layer in range(1, depth + 1):
        state |= {f"style.{layer}.weight": 100 * torch.randn(w_dim, w_dim), f"style.{layer}.bias": torch.randn(w_dim)}
    state["input.input"] = torch.randn(1, channels[0], 4, 4)

    def modulation(name: str, inputs: int, outputs: int, size: int) -> None:
        state[f"{name}.conv.weight"] = torch.randn(1, outputs, inputs, size, size)
        state[f"{name}.conv.modulation.weight"] = torch.randn(inputs, w_dim)
        state[f"{name}.conv.modulation.bias"] = 1 + torch.randn(inputs)

    names = ["conv1", *(f"convs.{i}" for i in range(2 * len(channels) - 2))]
    for layer, name in enumerate(names):
        level = (layer + 1) // 2
        modulation(name, channels[level - layer % 2], channels[level], 3)
        if layer % 2:
            state[f"{name}.conv.blur.kernel"] = 4 * kernel_of(torch.tensor(taps))
        state |= {f"{name}.noise.weight": torch.randn(1), f"{name}.activate.bias": torch.randn(channels[level])}
        state[f"noises.noise_{layer}"] = torch.randn(1, 1, 4 << level, 4 << level)
    for level, inputs in enumerate(channels):
        name = f"to_rgbs.{level - 1}" if level else "to_rgb1"
        modulation(name, inputs, colours, 1)
        state[f"{name}.bias"] = torch.randn(1, colours, 1, 1)
        if level:
            state[f"{name}.upsample.kernel"] = 4 * kernel_of(torch.tensor([1.0, 3.0, 3.0, 1.0]))
    return state


def ada_mapping(state: dict[str, Tensor], latents: Tensor, condition: Tensor | None, rate: float = 0.01) -> Tensor:
    """w of a state whose names begin with `mapping.`; latents may have no dimensions at all."""
    x, layer = unit(latents) if latents.shape[1] else latents, 0
    if condition is not None:
        embed = state["mapping.embed.weight"]
        x = torch.cat([x, unit(embed[:, condition].T / math.sqrt(embed.shape[1]) + state["mapping.embed.bias"])], 1)
    while f"mapping.fc{layer}.weight" in state:
        x = lrelu(linear(x, state[f"mapping.fc{layer}.weight"], state[f"mapping.fc{layer}.bias"], rate))
        layer += 1
    return x


def ada(state: dict[str, Tensor], styles: Tensor, architecture: str = "skip", clamp: float | None = None) -> Tensor:
    """Images (B, C, H, W), about [-1, 1], of w+ (B, layers, w_dim), with the noise of the file if it has one."""

    def style(name: str, layer: int) -> Tensor:
        return linear(styles[:, layer], state[f"{name}.affine.weight"], state[f"{name}.affine.bias"])

    def conv(x: Tensor, name: str, layer: int, kernel: Tensor | None = None, gain: float = 1.0) -> Tensor:
        out = modulated(x, state[f"{name}.weight"], style(name, layer), kernel=kernel)
        if f"{name}.noise_const" in state:
            out = out + state[f"{name}.noise_const"] * state[f"{name}.noise_strength"]
        return lrelu(out + state[f"{name}.bias"][None, :, None, None], clamp, gain)

    sides = sorted(int(name.split(".")[1][1:]) for name in state if name.endswith("conv1.weight"))
    x, image, layer = state["synthesis.b4.const"].repeat(len(styles), 1, 1, 1), None, 0
    for side in sides:
        block, inputs, resnet = f"synthesis.b{side}", x, architecture == "resnet" and side > 4
        kernel = state[f"{block}.resample_filter"]
        if side > 4:
            x, layer = conv(x, f"{block}.conv0", layer, kernel_of(kernel)), layer + 1
        x, layer = conv(x, f"{block}.conv1", layer, gain=math.sqrt(0.5) if resnet else 1.0), layer + 1
        if resnet:
            weight = state[f"{block}.skip.weight"]
            x = x + math.sqrt(0.5) * F.conv2d(upsample(inputs, kernel_of(kernel)), weight / math.sqrt(weight.shape[1]))
        image = None if image is None else upsample(image, kernel_of(kernel))
        if architecture == "skip" or side == sides[-1]:
            name = f"{block}.torgb"
            colours = modulated(x, state[f"{name}.weight"], style(name, layer), demodulate=False)
            colours = colours + state[f"{name}.bias"][None, :, None, None]
            colours = colours if clamp is None else colours.clamp(-clamp, clamp)
            image = colours if image is None else image + colours
    assert image is not None
    return image


def ada_discriminator(
    state: dict[str, Tensor], images: Tensor, condition: Tensor | None, group: int, clamp: float | None = None
) -> Tensor:
    """Logits (B,) of images (B, C, H, W) in [-1, 1]."""

    def conv(x: Tensor, name: str, gain: float = 1.0) -> Tensor:
        weight = state[f"{name}.weight"]
        out = F.conv2d(x, weight / math.sqrt(weight[0].numel()), state[f"{name}.bias"], padding=weight.shape[-1] // 2)
        return lrelu(out, clamp, gain)

    sides = sorted((int(name[1:].split(".")[0]) for name in state if name.endswith("conv0.weight")), reverse=True)
    x = conv(images, f"b{sides[0]}.fromrgb")
    for side in sides:
        kernel = kernel_of(state[f"b{side}.resample_filter"])
        skip, surplus = state[f"b{side}.skip.weight"], len(kernel) - 2
        y = upfirdn(x, kernel, down=2, pad=((surplus + 1) // 2, surplus // 2))
        x = upfirdn(conv(x, f"b{side}.conv0"), kernel, pad=((surplus + 3) // 2, (surplus + 2) // 2))
        weight = state[f"b{side}.conv1.weight"]
        x = F.conv2d(x, weight / math.sqrt(weight[0].numel()), state[f"b{side}.conv1.bias"], stride=2)
        x = lrelu(x, clamp, math.sqrt(0.5)) + math.sqrt(0.5) * F.conv2d(y, skip / math.sqrt(skip.shape[1]))
    deviation = torch.zeros(len(x), 1, *x.shape[2:])
    groups = len(x) // group
    for start in range(groups):
        members = x[start::groups]
        deviation[start::groups] = ((members - members.mean(0)).pow(2).mean(0) + 1e-8).sqrt().mean()
    x = conv(torch.cat([x, deviation], 1), "b4.conv")
    x = lrelu(linear(x.reshape(len(x), -1), state["b4.fc.weight"], state["b4.fc.bias"]))
    x = linear(x, state["b4.out.weight"], state["b4.out.bias"])
    if condition is None:
        return x[:, 0]
    return (x * ada_mapping(state, x[:, :0], condition)).sum(1) / math.sqrt(x.shape[1])


def pickled(state: dict[str, Tensor], attributes: dict[str, dict[str, Any]]) -> Inert:
    """A module as a pickle of it is read: the state dict's tensors in a tree, each module with the attributes of its path."""

    def module(path: str) -> Inert:
        inside = {name[len(path) :]: tensor for name, tensor in state.items() if name.startswith(path)}
        children = dict.fromkeys(name.split(".")[0] for name in inside if "." in name)
        return Inert(
            "Module",
            state={
                "_parameters": {name: tensor for name, tensor in inside.items() if "." not in name},
                "_buffers": {},
                "_modules": {child: module(f"{path}{child}.") for child in children},
                **attributes.get(path.removesuffix("."), {}),
            },
        )

    return module("")


def ada_generator(
    architecture: str = "skip",
    clamp: float | None = None,
    classes: int = 0,
    noise: bool = True,
    taps: tuple[float, ...] = (1, 3, 3, 1),
    channels: tuple[int, ...] = (8, 6, 4),
    widths: tuple[int, ...] = (9, 9, 7),
    z_dim: int = 5,
    embed: int = 6,
) -> tuple[dict[str, Tensor], Inert]:
    """A random generator of one colour: its state dict, and the module as it is read from a pickle."""
    state = {"mapping.w_avg": torch.randn(widths[-1])}
    if classes:
        state |= {"mapping.embed.weight": torch.randn(embed, classes), "mapping.embed.bias": torch.randn(embed)}
    for layer, (inputs, outputs) in enumerate(pairwise((z_dim + (embed if classes else 0), *widths))):
        state |= {
            f"mapping.fc{layer}.weight": 100 * torch.randn(outputs, inputs),
            f"mapping.fc{layer}.bias": torch.randn(outputs),
        }
    kernel = kernel_of(torch.tensor(taps))
    for level, outputs in enumerate(channels):
        block, side, inputs = f"synthesis.b{4 << level}", 4 << level, channels[max(level - 1, 0)]
        layers = {"conv0": (inputs, outputs, 3), "conv1": (outputs, outputs, 3), "torgb": (outputs, 1, 1)}
        if level == 0:
            state[f"{block}.const"] = torch.randn(outputs, 4, 4)
            del layers["conv0"]
        if architecture != "skip" and level < len(channels) - 1:
            del layers["torgb"]
        for name, (before, after, size) in layers.items():
            path = f"{block}.{name}"
            state |= {f"{path}.weight": torch.randn(after, before, size, size), f"{path}.bias": torch.randn(after)}
            state |= {f"{path}.affine.weight": torch.randn(before, widths[-1]), f"{path}.affine.bias": 1 + torch.randn(before)}
            if size == 3:
                state[f"{path}.resample_filter"] = kernel
            if size == 3 and noise:
                state |= {f"{path}.noise_const": torch.randn(side, side), f"{path}.noise_strength": torch.randn(())}
        if architecture == "resnet" and level:
            state |= {f"{block}.skip.weight": torch.randn(outputs, inputs, 1, 1), f"{block}.skip.resample_filter": kernel}
        state[f"{block}.resample_filter"] = kernel
    attributes = {
        "synthesis.b4": {"architecture": architecture},
        "synthesis.b4.conv1": {"conv_clamp": clamp, "activation": "lrelu", "use_noise": noise},
        "mapping.fc0": {"activation": "lrelu", "bias_gain": 0.01},
    }
    return state, pickled(state, attributes)


def ada_discriminator_module(
    clamp: float | None = None,
    classes: int = 0,
    group: int = 2,
    taps: tuple[float, ...] = (1, 3, 3, 1),
    channels: tuple[int, ...] = (8, 6, 4),
    widths: tuple[int, ...] = (7, 5),
) -> tuple[dict[str, Tensor], Inert]:
    """A random discriminator of images of one colour: its state dict, and the module as it is read from a pickle."""
    first, top = channels[0], len(channels) - 1
    shapes = {f"b{4 << top}.fromrgb": (channels[-1], 1, 1, 1)}
    for level in range(top, 0, -1):
        block, inputs, outputs = f"b{4 << level}", channels[level], channels[level - 1]
        shapes |= {f"{block}.conv0": (inputs, inputs, 3, 3), f"{block}.conv1": (outputs, inputs, 3, 3)}
    shapes |= {"b4.conv": (first, first + 1, 3, 3), "b4.fc": (first, 16 * first), "b4.out": (widths[-1] if classes else 1, first)}
    if classes:
        shapes |= {"mapping.embed": (6, classes)}
        shapes |= {f"mapping.fc{i}": (after, before) for i, (before, after) in enumerate(pairwise((6, *widths)))}
    state = {f"{name}.weight": torch.randn(shape) * (100 if ".fc" in name[7:] else 1) for name, shape in shapes.items()}
    state |= {f"{name}.bias": torch.randn(shape[0]) for name, shape in shapes.items()}
    for level in range(1, top + 1):
        state[f"b{4 << level}.skip.weight"] = torch.randn(channels[level - 1], channels[level], 1, 1)
        state[f"b{4 << level}.resample_filter"] = kernel_of(torch.tensor(taps))
    attributes = {
        f"b{4 << top}": {"architecture": "resnet"},
        "b4.conv": {"conv_clamp": clamp, "activation": "lrelu"},
        "mapping.fc0": {"bias_gain": 0.01},
    }
    module = pickled(state, attributes)
    module.state["_modules"]["b4"].state["_modules"]["mbstd"] = pickled({}, {"": {"group_size": group}})
    return state, module
