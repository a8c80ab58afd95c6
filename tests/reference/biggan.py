"""BigGAN as BigGAN-PyTorch, IC-GAN and BigBiGAN compute it, out of a state dict in their format; nothing is precomputed."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


def their_state(
    channels: list[int],
    part: int,
    *,
    classes: int = 7,
    shared: int | None = 10,
    features: tuple[int, int] | None = None,
    conditions: int | None = None,
    attention: tuple[int, ...] = (0,),
    spectral: bool = True,
    bottom: int = 4,
) -> State:
    """A file of random numbers: `part` of the latent for the first layer, norms conditioned on so many `conditions`.

    `features` is (an instance's numbers, their embedding's); without a `shared` embedding the norms embed the classes.
    """
    rng = torch.Generator().manual_seed(0)
    state: State = {}

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        state[f"{name}.weight"] = torch.randn(shape, generator=rng)
        if bias:
            state[f"{name}.bias"] = torch.randn(shape[0], generator=rng) / 5
        if spectral:
            state[f"{name}.u0"] = torch.randn(1, shape[0], generator=rng)
            state[f"{name}.sv0"] = torch.rand(1, generator=rng)
        else:
            state[f"{name}.weight"] /= state[f"{name}.weight"][0].numel() ** 0.5

    def statistics(name: str, size: int) -> None:
        state[f"{name}.stored_mean"] = torch.randn(size, generator=rng) / 5
        state[f"{name}.stored_var"] = torch.rand(size, generator=rng) + 0.2

    def norm(name: str, size: int) -> None:
        statistics(name, size)
        for what in ("gain", "bias"):
            if shared is None:
                state[f"{name}.{what}.weight"] = torch.randn(classes, size, generator=rng)
            else:
                layer(f"{name}.{what}", size, conditions or part + shared, bias=False)

    if shared is not None:
        state["shared.weight"] = torch.randn(classes, shared, generator=rng)
    if features is not None:
        layer("shared_feat", features[1], features[0])
    layer("linear", channels[0] * bottom**2, part)
    for i, (inner, outer) in enumerate(pairwise(channels)):
        layer(f"blocks.{i}.0.conv1", outer, inner, 3, 3)
        layer(f"blocks.{i}.0.conv2", outer, outer, 3, 3)
        layer(f"blocks.{i}.0.conv_sc", outer, inner, 1, 1)
        norm(f"blocks.{i}.0.bn1", inner)
        norm(f"blocks.{i}.0.bn2", outer)
        if i in attention:
            state[f"blocks.{i}.1.gamma"] = torch.tensor(0.7)
            for what, shape in (("theta", (8, 1)), ("phi", (8, 1)), ("g", (2, 1)), ("o", (1, 2))):
                layer(f"blocks.{i}.1.{what}", outer // shape[0], outer // shape[1], 1, 1, bias=False)
    statistics("output_layer.0", channels[-1])
    state["output_layer.0.gain"] = torch.rand(channels[-1], generator=rng) + 0.5
    state["output_layer.0.bias"] = torch.randn(channels[-1], generator=rng)
    layer("output_layer.2", 3, channels[-1], 3, 3)
    return state


def weight_of(state: State, name: str) -> Tensor:
    weight, u = state[f"{name}.weight"], state.get(f"{name}.u0")
    if u is None:
        return weight
    matrix = weight.reshape(len(weight), -1)
    v = matrix.T @ u[0]
    v = v / v.norm()
    return weight / (matrix @ v).norm()


def conv(state: State, name: str, x: Tensor) -> Tensor:
    weight = weight_of(state, name)
    return F.conv2d(x, weight, state.get(f"{name}.bias"), padding=weight.shape[-1] // 2)


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return x @ weight_of(state, name).T + state.get(f"{name}.bias", 0)


def norm(state: State, name: str, x: Tensor, condition: Tensor, eps: float) -> Tensor:
    modulation = []
    for what in ("gain", "bias"):
        weight = weight_of(state, f"{name}.{what}")
        rows = condition @ weight.T if condition.is_floating_point() else weight[condition]
        modulation.append(rows[:, :, None, None])
    mean, variance = (state[f"{name}.stored_{what}"][None, :, None, None] for what in ("mean", "var"))
    return (x - mean) / (variance + eps).sqrt() * (1 + modulation[0]) + modulation[1]


def attention(state: State, name: str, x: Tensor) -> Tensor:
    """One image and one pixel at a time."""
    theta, phi, g = (conv(state, f"{name}.{what}", x) for what in ("theta", "phi", "g"))
    phi, g = (F.max_pool2d(y, 2).flatten(2) for y in (phi, g))
    seen = torch.zeros(*g.shape[:2], *x.shape[2:])
    for b in range(len(x)):
        for i in range(x.shape[2]):
            for j in range(x.shape[3]):
                seen[b, :, i, j] = g[b] @ (phi[b].T @ theta[b, :, i, j]).softmax(0)
    return state[f"{name}.gamma"] * conv(state, f"{name}.o", seen) + x


def up(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def render(state: State, z: Tensor, y: Tensor, *, eps: float, hierarchical: bool = True) -> Tensor:
    """Images in [-1, 1] of latents and embedded conditions, or of classes int64 where the norms embed them."""
    first, count = linear_width(state), sum(name.endswith("conv1.bias") for name in state)
    parts = z.split(first, dim=1) if hierarchical else (z, *[None] * count)
    x = linear(state, "linear", parts[0])
    x = x.reshape(len(z), state["blocks.0.0.conv1.weight"].shape[1], -1)
    x = x.reshape(*x.shape[:2], int(x.shape[2] ** 0.5), -1)
    for i in range(count):
        condition = y if parts[i + 1] is None else torch.cat([y, parts[i + 1]], dim=1)
        block = f"blocks.{i}.0"
        h = conv(state, f"{block}.conv1", up(norm(state, f"{block}.bn1", x, condition, eps).relu()))
        h = conv(state, f"{block}.conv2", norm(state, f"{block}.bn2", h, condition, eps).relu())
        x = h + conv(state, f"{block}.conv_sc", up(x))
        if f"blocks.{i}.1.gamma" in state:
            x = attention(state, f"blocks.{i}.1", x)
    mean, variance, gain, bias = (
        state[f"output_layer.0.{what}"][:, None, None] for what in ("stored_mean", "stored_var", "gain", "bias")
    )
    return conv(state, "output_layer.2", ((x - mean) / (variance + 1e-5).sqrt() * gain + bias).relu()).tanh()


def linear_width(state: State) -> int:
    return state["linear.weight"].shape[1]
