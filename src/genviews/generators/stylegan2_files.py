"""The two public formats of StyleGAN2: rosinality/stylegan2-pytorch's files and NVlabs/stylegan2-ada-pytorch's pickles."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checkpoints import is_state_dict, module_state
from ..errors import CheckpointError
from ..randomness import prior, sample_seeds
from ..unpickling import Inert
from .base import Parts
from .stylegan2_layers import Mapping, fixed_noise

_Rules = list[tuple[str, str | Callable[[re.Match[str]], str]]]

_DIMENSIONS = {"weight": 4, "bias": 1, "const": 3, "noise": 2, "noise_strength": 1}
"""What our tensors have; those of the files have more, of size one, or fewer."""

_ROSINALITY_G: _Rules = [
    (r"^style\.(\d+)", lambda match: f"mapping.layers.{int(match[1]) - 1}"),
    (r"^input\.input$", "synthesis.const"),
    (r"^convs\.(\d+)", lambda match: f"synthesis.convs.{int(match[1]) + 1}"),
    (r"^conv1\b", "synthesis.convs.0"),
    (r"^to_rgbs\.(\d+)", lambda match: f"synthesis.to_rgbs.{8 << int(match[1])}"),
    (r"^to_rgb1\b", "synthesis.to_rgbs.4"),
    (r"^noises\.noise_(\d+)$", r"synthesis.convs.\1.noise"),
    (r"\.conv\.modulation\.", ".affine."),
    (r"\.conv\.weight$", ".weight"),
    (r"\.noise\.weight$", ".noise_strength"),
    (r"\.activate\.bias$", ".bias"),
]

_ROSINALITY_D: _Rules = [
    (r"^convs\.0\.\d", "from_rgb"),
    (r"^convs\.(\d+)", lambda match: f"blocks.{int(match[1]) - 1}"),
    (r"\.conv([12])\.\d", lambda match: f".conv{int(match[1]) - 1}"),
    (r"\.skip\.\d", ".skip"),
    (r"^final_conv\.\d", "last_conv"),
    (r"^final_linear\.0", "hidden"),
    (r"^final_linear\.1", "out"),
]

_TO_ROSINALITY_G: _Rules = [
    (r"^synthesis\.const$", "input.input"),
    (r"\.noise_strength$", ".noise.weight"),
    (r"^(synthesis\.convs\.\d+)\.bias$", r"\1.activate.bias"),
    (r"^(synthesis\.\w+\.\d+)\.weight$", r"\1.conv.weight"),
    (r"\.affine\.", ".conv.modulation."),
    (r"^mapping\.layers\.(\d+)", lambda match: f"style.{int(match[1]) + 1}"),
    (r"^synthesis\.convs\.0", "conv1"),
    (r"^synthesis\.convs\.(\d+)", lambda match: f"convs.{int(match[1]) - 1}"),
    (r"^synthesis\.to_rgbs\.4\b", "to_rgb1"),
    (r"^synthesis\.to_rgbs\.(\d+)", lambda match: f"to_rgbs.{_level(match[1]) - 1}"),
]

_ADA_G: _Rules = [
    (r"^mapping\.fc(\d+)", r"mapping.layers.\1"),
    (r"^mapping\.w_avg$", "mean"),
    (r"^synthesis\.b4\.const$", "synthesis.const"),
    (r"^synthesis\.b(\d+)\.conv([01])\b", lambda match: f"synthesis.convs.{2 * _level(match[1]) - 1 + int(match[2])}"),
    (r"^synthesis\.b(\d+)\.torgb\b", r"synthesis.to_rgbs.\1"),
    (r"^synthesis\.b(\d+)\.skip\b", r"synthesis.skips.\1"),
    (r"\.noise_const$", ".noise"),
]


def _ada_d(top: int) -> _Rules:
    return [
        (r"^mapping\.fc(\d+)", r"mapping.layers.\1"),
        (r"^b\d+\.fromrgb\b", "from_rgb"),
        (r"^b4\.conv\b", "last_conv"),
        (r"^b4\.fc\b", "hidden"),
        (r"^b4\.out\b", "out"),
        (r"^b(\d+)", lambda match: f"blocks.{top - _level(match[1])}"),
    ]


def _level(side: str) -> int:
    """How often 4 px were doubled."""
    return int(side).bit_length() - 3


def rosinality_name(name: str) -> str:
    """What rosinality's files call a tensor of our generator."""
    for pattern, replacement in _TO_ROSINALITY_G:
        name = re.sub(pattern, replacement, name)
    return name


def generator(content: Any, path: Path, telltales: frozenset[str]) -> Parts | None:
    """The arguments and state dict of a `StyleGAN2`; see `StyleGAN2.recognise`."""
    if isinstance(content, tuple) and any(getattr(part, "origin", "").startswith("dnnlib.tflib") for part in content):
        raise CheckpointError(
            f"{path} is a pickle of TensorFlow's StyleGAN; convert it with legacy.py of NVlabs/stylegan2-ada-pytorch or download "
            "NVIDIA's PyTorch version of it"
        )
    network = _network(content, ("G_ema", "g_ema", "G", "g"))
    if {"mapping", "synthesis"} <= _children(network).keys():
        return _ada_generator(network, path)
    if is_state_dict(network) and telltales <= network.keys():
        return _rosinality_generator(network, content.get("latent_avg"), path)
    return None


def _ada_generator(network: Any, path: Path) -> Parts:
    if "input" in _children(_children(network)["synthesis"]):
        raise CheckpointError(f"{path} is a StyleGAN3, which cannot be read; StyleGAN2 and StyleGAN2-ADA can")
    state = module_state(network)
    block, conv = (_attributes(network, "synthesis", "b4", *names) for names in ((), ("conv1",)))
    mapping = _attributes(network, "mapping", "fc0")
    options = {
        "blur": _filter(state, "resample_filter", path),
        "clamp": conv["conv_clamp"],
        "activation": conv["activation"],
        "mapping_activation": mapping["activation"],
        "mapping_rate": float(mapping["bias_gain"]),
        "architecture": block["architecture"],
    }
    state = _renamed(state, _ADA_G)
    if not conv["use_noise"]:
        layers = len(_lengths(state, "synthesis.convs.{}.bias"))
        state |= {f"synthesis.convs.{layer}.noise_strength": torch.zeros(1) for layer in range(layers)}
    return _generator(state, options)


def _rosinality_generator(network: dict[str, Tensor], mean: Any, path: Path) -> Parts:
    options = {"blur": _filter(network, "blur.kernel", path), "image_blur": _filter(network, "upsample.kernel", path)}
    state = _renamed(network, _ROSINALITY_G)
    if isinstance(mean, Tensor):
        state["mean"] = mean.flatten()
    return _generator(state, options)


def _generator(state: dict[str, Tensor], options: dict[str, Any]) -> Parts:
    """Adds what the shapes tell to the options, and what a file may lack to the state dict: noise and the mean of w."""
    channels = _lengths(state, "synthesis.convs.{}.bias")[::2]
    side = 4 << (len(channels) - 1)
    label_dim, classes = state["mapping.embed.weight"].shape if "mapping.embed.weight" in state else (0, None)
    config = options | {
        "image_shape": (len(state[f"synthesis.to_rgbs.{side}.bias"]), side, side),
        "latent_dim": state["mapping.layers.0.weight"].shape[1] - label_dim,
        "mapping": _lengths(state, "mapping.layers.{}.bias"),
        "channels": channels,
        "num_conditions": classes,
        "label_dim": label_dim,
    }
    for layer in range(2 * len(channels) - 1):
        state.setdefault(f"synthesis.convs.{layer}.noise", fixed_noise(layer, 4 << (layer + 1) // 2))
    if "mean" not in state:
        state["mean"] = _mean(config, state)
    return config, state


@torch.no_grad()
def _mean(config: dict[str, Any], state: dict[str, Tensor]) -> Tensor:
    """The mean of w over as many latents as rosinality's code draws for it, the same ones every time."""
    rate, activation = config.get("mapping_rate", 0.01), config.get("mapping_activation", "lrelu")
    mapping = Mapping(config["latent_dim"], config["mapping"], config["num_conditions"], config["label_dim"], rate, activation)
    prefix = "mapping."
    given = {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}
    mapping.load_state_dict(given, strict=False)  # what is missing is told of the whole network
    samples = torch.arange(4096)
    classes = samples % config["num_conditions"] if config["num_conditions"] else None
    return mapping(prior(sample_seeds(0, samples), config["latent_dim"]), classes).mean(0)


def discriminator(content: Any, path: Path) -> Parts | None:
    """The arguments and state dict of a `StyleGAN2Discriminator`, if there is one."""
    network = _network(content, ("D", "d"))
    if "b4" in _children(network):
        return _ada_discriminator(network, path)
    if is_state_dict(network) and {"convs.0.0.weight", "final_conv.0.weight", "final_linear.1.weight"} <= network.keys():
        return _discriminator(_renamed(network, _ROSINALITY_D), {"blur": _filter(network, "kernel", path)})
    return None


def _ada_discriminator(network: Any, path: Path) -> Parts:
    state = module_state(network)
    top = max(int(name[1:]) for name in _children(network) if re.fullmatch(r"b\d+", name))
    architecture = _attributes(network, f"b{top}")["architecture"]
    if architecture != "resnet":
        raise CheckpointError(
            f"{path} has a discriminator of architecture {architecture}; only resnet, the usual one, can be read"
        )
    conv = _attributes(network, "b4", "conv")
    options = {
        "blur": _filter(state, "resample_filter", path),
        "stddev_group": _attributes(network, "b4", "mbstd")["group_size"],
        "clamp": conv["conv_clamp"],
        "activation": conv["activation"],
    }
    if "mapping" in _children(network):
        options["mapping_rate"] = float(_attributes(network, "mapping", "fc0")["bias_gain"])
    return _discriminator(_renamed(state, _ada_d(_level(str(top)))), options)


def _discriminator(state: dict[str, Tensor], options: dict[str, Any]) -> Parts:
    channels = [*reversed(_lengths(state, "blocks.{}.conv1.bias")), len(state["from_rgb.bias"])]
    side = 4 << (len(channels) - 1)
    config = options | {"image_shape": (state["from_rgb.weight"].shape[1], side, side), "channels": channels}
    if "mapping.embed.weight" in state:
        label_dim, classes = state["mapping.embed.weight"].shape
        config |= {"num_conditions": classes, "label_dim": label_dim, "mapping": _lengths(state, "mapping.layers.{}.bias")}
    return config, state


def _network(content: Any, names: tuple[str, ...]) -> Any:
    """The content's part of one of the names, else all of it; a state dict without DataParallel's prefix."""
    network = next((content[name] for name in names if name in content), content) if isinstance(content, dict) else content
    return {name.removeprefix("module."): t for name, t in network.items()} if is_state_dict(network) else network


def _attributes(module: Any, *names: str) -> dict[str, Any]:
    """The attributes of a pickled module, or of its descendant by these names."""
    for name in names:
        module = _children(module)[name]
    return module.state if isinstance(module, Inert) and isinstance(module.state, dict) else {}


def _children(module: Any) -> dict[str, Any]:
    return _attributes(module).get("_modules", {})


def _filter(state: dict[str, Tensor], name: str, path: Path) -> Any:
    """The taps of all the filters whose names end so; if there are none, those of the paper."""
    filters = [tensor for full, tensor in state.items() if full.endswith(name)]
    if any(not torch.equal(other, filters[0]) for other in filters):
        raise CheckpointError(f"{path} filters some sizes otherwise than others ({name}); it is damaged")
    return filters[0].tolist() if filters else (1, 3, 3, 1)


def _renamed(state: dict[str, Tensor], rules: _Rules) -> dict[str, Tensor]:
    """The tensors by our names and in our shapes, without the filters; what no rule fits keeps its name."""
    renamed = {}
    for name, tensor in state.items():
        for pattern, new in rules:
            name = re.sub(pattern, new, name)
        leaf = name.rsplit(".", 1)[-1]
        if leaf not in ("kernel", "resample_filter"):
            renamed[name] = tensor.flatten(0, max(tensor.ndim - _DIMENSIONS.get(leaf, tensor.ndim), 0))
    return renamed


def _lengths(state: dict[str, Tensor], name: str) -> list[int]:
    """The lengths of the tensors so named, with 0, 1, ... for {}, as far as there are any of that number."""
    stem = name.split("{}")[0]
    last = max((int(number) for other in state for number in re.findall(rf"^{re.escape(stem)}(\d+)\.", other)), default=-1)
    names = [name.format(i) for i in range(last + 1)]
    if missing := [full for full in names if full not in state]:
        raise CheckpointError(f"it lacks {rosinality_name(missing[0])}; it is damaged")
    return [len(state[full]) for full in names]
