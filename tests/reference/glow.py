"""Glow as glow-pytorch computes it, step by step out of a state dict in its format: nothing is fused."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


def original_file(state: State) -> State:
    """The state dict as the original saves it: of DataParallel, with the constants of the LU convolutions."""
    file = {f"module.{name}": tensor for name, tensor in state.items()}
    for name, tensor in state.items():
        if name.endswith("invconv.w_l"):
            mask = torch.triu(torch.ones_like(tensor), 1)
            prefix = "module." + name.removesuffix("w_l")
            file |= {f"{prefix}u_mask": mask, f"{prefix}l_mask": mask.T, f"{prefix}l_eye": torch.eye(len(mask))}
    return file


def children(state: State, name: str) -> list[State]:
    """The state dicts of the modules of a list."""
    found: list[State] = []
    while part := inner(state, f"{name}.{len(found)}"):
        found.append(part)
    return found


def inner(state: State, name: str) -> State:
    return {key.removeprefix(f"{name}."): tensor for key, tensor in state.items() if key.startswith(f"{name}.")}


def zero_conv(layer: State, x: Tensor) -> Tensor:
    padded = torch.ones(*x.shape[:2], x.shape[2] + 2, x.shape[3] + 2, dtype=x.dtype)
    padded[:, :, 1:-1, 1:-1] = x
    return F.conv2d(padded, layer["conv.weight"], layer["conv.bias"]) * torch.exp(layer["scale"] * 3)


def network(coupling: State, x: Tensor) -> Tensor:
    x = F.relu(F.conv2d(x, coupling["net.0.weight"], coupling["net.0.bias"], padding=1))
    x = F.relu(F.conv2d(x, coupling["net.2.weight"], coupling["net.2.bias"]))
    return zero_conv(inner(coupling, "net.4"), x)


def weight(conv: State) -> Tensor:
    if "weight" in conv:
        return conv["weight"][:, :, 0, 0]
    lower, upper = conv["w_l"].clone(), conv["w_u"].clone()
    for row in range(len(lower)):
        lower[row, row:], upper[row, : row + 1] = 0, 0
        lower[row, row] = 1
        upper[row, row] = conv["s_sign"][row] * torch.exp(conv["w_s"][row])
    return conv["w_p"] @ lower @ upper


def mix(x: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("oc,bchw->bohw", matrix, x)


def forward(state: State, x: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Images (B, C, H, W) in [-0.5, 0.5] -> log p (B,), log |det| (B,), and each block's variables."""
    log_p, log_det, outputs = torch.zeros(len(x), dtype=x.dtype), torch.zeros(len(x), dtype=x.dtype), []
    blocks = children(state, "blocks")
    for i, block in enumerate(blocks):
        b, c, h, w = x.shape
        x = x.view(b, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(b, 4 * c, h // 2, w // 2)
        for step in children(block, "flows"):
            x = step["actnorm.scale"] * (x + step["actnorm.loc"])
            matrix = weight(inner(step, "invconv"))
            x = mix(x, matrix)
            log_dets = torch.log(torch.abs(step["actnorm.scale"])).sum() + torch.slogdet(matrix)[1]
            log_det = log_det + h // 2 * (w // 2) * log_dets
            a, moved = x.chunk(2, 1)
            out = network(inner(step, "coupling"), a)
            if out.shape[1] == moved.shape[1]:
                moved = moved + out
            else:
                s = torch.sigmoid(out.chunk(2, 1)[0] + 2)
                moved = (moved + out.chunk(2, 1)[1]) * s
                log_det = log_det + torch.log(s).flatten(1).sum(1)
            x = torch.cat([a, moved], 1)
        given, z = (torch.zeros_like(x), x) if i == len(blocks) - 1 else x.chunk(2, 1)
        mean, log_sd = zero_conv(inner(block, "prior"), given).chunk(2, 1)
        density = -0.5 * math.log(2 * math.pi) - log_sd - 0.5 * (z - mean) ** 2 / torch.exp(2 * log_sd)
        log_p = log_p + density.flatten(1).sum(1)
        outputs.append(z)
        x = given
    return log_p, log_det, outputs


def reverse(state: State, noise: list[Tensor]) -> Tensor:
    """Standard normal noise of each block -> images (B, C, H, W) around 0."""
    x = None
    for block, eps in zip(reversed(children(state, "blocks")), reversed(noise), strict=True):
        mean, log_sd = zero_conv(inner(block, "prior"), torch.zeros_like(eps) if x is None else x).chunk(2, 1)
        z = mean + torch.exp(log_sd) * eps
        x = z if x is None else torch.cat([x, z], 1)
        for step in reversed(children(block, "flows")):
            a, moved = x.chunk(2, 1)
            out = network(inner(step, "coupling"), a)
            if out.shape[1] == moved.shape[1]:
                moved = moved - out
            else:
                moved = moved / torch.sigmoid(out.chunk(2, 1)[0] + 2) - out.chunk(2, 1)[1]
            x = mix(torch.cat([a, moved], 1), weight(inner(step, "invconv")).inverse())
            x = x / step["actnorm.scale"] - step["actnorm.loc"]
        b, c, h, w = x.shape
        x = x.view(b, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(b, c // 4, 2 * h, 2 * w)
    return x


def bits_per_dim(log_p: Tensor, log_det: Tensor, pixels: int, bins: int) -> Tensor:
    """The original's loss (B,)."""
    return -(-math.log(bins) * pixels + log_det + log_p) / (math.log(2) * pixels)
