"""BigGAN-deep as pytorch-pretrained-BigGAN computes it: out of a state dict in its format, every weight divided when used."""

import math

import torch
import torch.nn.functional as F
from reference.biggan import up
from torch import Tensor

State = dict[str, Tensor]


def their_state(
    width: int, layers: list[tuple[bool, int, int]], attention: int | None, z_dim: int, classes: int, rows: int = 51
) -> State:
    """A file of random numbers for the architecture of such a `config.json`."""
    rng = torch.Generator().manual_seed(0)
    state: State = {"embeddings.weight": torch.randn(z_dim, classes, generator=rng)}

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        weight = torch.randn(shape, generator=rng)
        u, _, v = torch.linalg.svd(weight.flatten(1), full_matrices=False)
        for what, vector in (("u", u[:, 0]), ("v", v[0])):  # near the singular vectors, not at them
            state[f"generator.{name}.weight_{what}"] = F.normalize(vector + 0.1 * torch.randn(vector.shape, generator=rng), dim=0)
        state[f"generator.{name}.weight_orig"] = weight
        if bias:
            state[f"generator.{name}.bias"] = torch.randn(shape[0], generator=rng) / 5

    def norm(name: str, size: int, conditional: bool = True) -> None:
        state[f"generator.{name}.running_means"] = torch.randn(rows, size, generator=rng) / 5
        state[f"generator.{name}.running_vars"] = torch.rand(rows, size, generator=rng) + 0.2
        if conditional:
            for what in ("scale", "offset"):
                layer(f"{name}.{what}", size, 2 * z_dim, bias=False)
        else:
            state[f"generator.{name}.weight"] = torch.rand(size, generator=rng) + 0.5
            state[f"generator.{name}.bias"] = torch.randn(size, generator=rng)

    layer("gen_z", 16 * layers[0][1] * width, 2 * z_dim)
    place = 0
    for i, (_, inner, outer) in enumerate(layers):
        if i == attention:
            state[f"generator.layers.{place}.gamma"] = torch.tensor([0.7])
            c = inner * width
            for what, shape in (("theta", (c // 8, c)), ("phi", (c // 8, c)), ("g", (c // 2, c)), ("o_conv", (c, c // 2))):
                layer(f"layers.{place}.snconv1x1_{what}", *shape, 1, 1, bias=False)
            place += 1
        middle = inner * width // 4
        for k, (before, after, kernel) in enumerate(
            ((inner * width, middle, 1), (middle, middle, 3), (middle, middle, 3), (middle, outer * width, 1))
        ):
            norm(f"layers.{place}.bn_{k}", before)
            layer(f"layers.{place}.conv_{k}", after, before, kernel, kernel)
        place += 1
    norm("bn", width, conditional=False)
    layer("conv_to_rgb", width, width, 3, 3)
    return state


def render(state: State, z: Tensor, classes: Tensor, truncation: float, ups: list[bool], eps: float) -> Tensor:
    """Images in [-1, 1] of latents and vectors over the classes."""
    s = {name.removeprefix("generator."): tensor for name, tensor in state.items()}
    condition = torch.cat([z, classes @ s["embeddings.weight"].T], dim=1)

    def weight(name: str) -> Tensor:
        original = s[f"{name}.weight_orig"]
        return original / (s[f"{name}.weight_u"] @ (original.reshape(len(original), -1) @ s[f"{name}.weight_v"]))

    def conv(name: str, x: Tensor) -> Tensor:
        kernel = weight(name)
        return F.conv2d(x, kernel, s.get(f"{name}.bias"), padding=kernel.shape[-1] // 2)

    def norm(name: str, x: Tensor) -> Tensor:
        tables = (s[f"{name}.running_means"], s[f"{name}.running_vars"])
        share, row = math.modf(truncation / (1.0 / (len(tables[0]) - 1)))
        row = int(row)
        rows = [table[row] * share + table[row + 1] * (1 - share) if share else table[row] for table in tables]
        mean, variance = (chosen[None, :, None, None] for chosen in rows)
        x = (x - mean) / (variance + eps).sqrt()
        if f"{name}.weight" in s:
            return x * s[f"{name}.weight"][:, None, None] + s[f"{name}.bias"][:, None, None]
        gain, offset = ((condition @ weight(f"{name}.{what}").T)[:, :, None, None] for what in ("scale", "offset"))
        return x * (1 + gain) + offset

    x = condition @ weight("gen_z").T + s["gen_z.bias"]
    x = x.reshape(len(x), 4, 4, -1).permute(0, 3, 1, 2)
    remaining, place = list(ups), 0
    while remaining:
        layer = f"layers.{place}"
        place += 1
        if f"{layer}.gamma" in s:
            theta, phi, g = (conv(f"{layer}.snconv1x1_{what}", x) for what in ("theta", "phi", "g"))
            phi, g = F.max_pool2d(phi, 2), F.max_pool2d(g, 2)
            weights = torch.einsum("bcij,bckl->bijkl", theta, phi).flatten(3).softmax(3)
            seen = torch.einsum("bcm,bijm->bcij", g.flatten(2), weights)
            x = x + s[f"{layer}.gamma"] * conv(f"{layer}.snconv1x1_o_conv", seen)
            continue
        doubles = remaining.pop(0)
        h = conv(f"{layer}.conv_0", norm(f"{layer}.bn_0", x).relu())
        h = norm(f"{layer}.bn_1", h).relu()
        h = conv(f"{layer}.conv_1", up(h) if doubles else h)
        h = conv(f"{layer}.conv_2", norm(f"{layer}.bn_2", h).relu())
        h = conv(f"{layer}.conv_3", norm(f"{layer}.bn_3", h).relu())
        x = x[:, : h.shape[1]]
        x = (up(x) if doubles else x) + h
    return conv("conv_to_rgb", norm("bn", x).relu())[:, :3].tanh()
