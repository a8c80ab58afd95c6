"""rtqichen/residual-flows' image model, layer by layer and slowly, on state dicts under its own names."""

import math
from argparse import Namespace
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

ARGS: dict[str, Any] = {
    "data": "mnist",
    "imagesize": 8,
    "nbits": 8,
    "block": "resblock",
    "coeff": 0.98,
    "vnorms": "2222",
    "n_lipschitz_iters": None,
    "sn_tol": 1e-3,
    "learn_p": False,
    "n_power_series": None,
    "factor_out": False,
    "n_dist": "poisson",
    "n_exact_terms": 2,
    "act": "swish",
    "idim": 4,
    "nblocks": "1-1",
    "squeeze_first": False,
    "actnorm": True,
    "fc_actnorm": False,
    "batchnorm": False,
    "dropout": 0.0,
    "fc": False,
    "kernels": "3-1-3",
    "quadratic": False,
    "fc_end": True,
    "fc_idim": 5,
    "preact": True,
    "padding": 0,
    "first_resblock": True,
    "task": "density",
}


@dataclass
class ExponentialMovingAverage:
    shadow_params: dict[str, Tensor]


@dataclass
class Original:
    """The model of `args`; tensors that its state dict lacks are drawn when they are first needed."""

    args: dict[str, Any]
    state: dict[str, Tensor] = field(default_factory=dict)
    rng: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))

    def checkpoint(self) -> dict[str, Any]:
        """As training writes it, with averaged weights that are twice the others' biases."""
        averages = {name: 2 * tensor if name.endswith("bias") else tensor for name, tensor in self.state.items()}
        averages = {name: tensor for name, tensor in averages.items() if name.endswith(("weight", "bias", "beta", "lamb"))}
        return {"state_dict": self.state, "args": Namespace(**self.args), "ema": ExponentialMovingAverage(averages)}

    def tensor(self, name: str, *shape: int) -> Tensor:
        if name not in self.state:
            self.state[name] = 0.4 * torch.randn(shape, generator=self.rng)
        return self.state[name].double()

    def activation(self, name: str, x: Tensor) -> Tensor:
        act = self.args["act"]
        if act == "swish":
            return x / (1 + torch.exp(-x * F.softplus(self.tensor(f"{name}.beta", 1)))) / 1.1
        if act == "elu":
            return torch.where(x > 0, x, x.clamp(max=0).exp() - 1)
        if act == "softplus":
            return (1 + x.exp()).log()
        if act == "relu":
            return x.clamp(min=0)
        if act == "lcube":
            return torch.where(x >= 1, x - 2 / 3, torch.where(x <= -1, x + 2 / 3, x**3 / 3))
        return x

    def linear(self, name: str, x: Tensor, outputs: int, kernel: int | None) -> Tensor:
        """The map as one matrix, whose u and v are singular vectors when they are drawn."""
        window = () if kernel is None else (kernel, kernel)
        weight, bias = self.tensor(f"{name}.weight", outputs, x.shape[1], *window), self.tensor(f"{name}.bias", outputs)
        places = () if kernel is None else (1, 1) if kernel == 1 else x.shape[2:]
        apply = (lambda x: x @ weight.T) if kernel is None else (lambda x: F.conv2d(x, weight, padding=kernel // 2))
        dim = x.shape[1] * math.prod(places)
        matrix = apply(torch.eye(dim, dtype=torch.float64).reshape(dim, x.shape[1], *places)).reshape(dim, -1).T
        if f"{name}.u" not in self.state:
            u, _, v = torch.linalg.svd(matrix)
            self.state[f"{name}.u"], self.state[f"{name}.v"] = u[:, 0].float(), v[0].float()
            self.state[f"{name}.scale"] = torch.tensor(1.0)
        sigma = self.state[f"{name}.u"].double() @ matrix @ self.state[f"{name}.v"].double()
        return apply(x) / max(1.0, float(sigma) / self.args["coeff"]) + bias.reshape(-1, *[1] * len(window))

    def residual(self, name: str, x: Tensor, dense: bool, width: int, preact: bool) -> Tensor:
        kernels = [int(k) for k in self.args["kernels"].split("-")]
        h = x.reshape(len(x), -1) if dense else x
        outer = h.shape[1]
        name = f"{name}.nnet.nnet" if dense else f"{name}.nnet"
        index = 0
        if preact:
            h, index = self.activation(f"{name}.{index}", h), 1
        for i, kernel in enumerate(kernels):
            last = i == len(kernels) - 1
            h = self.linear(f"{name}.{index}", h, outer if last else width, None if dense else kernel)
            if not last:
                h = self.activation(f"{name}.{index + 1}", h)
            index += 2
        self.tensor(f"{name.partition('.nnet')[0]}.geom_p")
        self.tensor(f"{name.partition('.nnet')[0]}.lamb")
        return x + h.reshape(x.shape)

    def actnorm(self, name: str, x: Tensor, dense: bool) -> Tensor:
        shape = x.shape[1:] if dense else (x.shape[1], 1, 1)
        name = f"{name}.fc_module" if dense else name
        bias, weight = (self.tensor(f"{name}.{which}", math.prod(shape)).reshape(shape) for which in ("bias", "weight"))
        self.state[f"{name}.initialized"] = torch.tensor(1)
        return (x + bias) * weight.exp()

    def encode(self, images: Tensor) -> Tensor:
        """Images float64 (B, C, H, W) -> latents (B, D)."""
        a = self.args
        margin = 1e-6 if a["data"] == "mnist" else 0.05
        x = squeezed(images) if a["squeeze_first"] else images
        p = margin + (1 - 2 * margin) * x
        x, latents = p.log() - (1 - p).log(), []
        depths = [int(n) for n in a["nblocks"].split("-")]
        side, scales = x.shape[2], 0
        while side >= 4:
            side, scales = side // 2, scales + 1
        depths = depths[:scales]
        for scale, depth in enumerate(depths):
            first, last, index = scale == 0, scale == len(depths) - 1, int(scale == 0)
            prefix = f"transforms.{scale}.chain"

            def after(x: Tensor, which: tuple[bool, ...], prefix: str = prefix) -> Tensor:
                nonlocal index
                for dense in which:
                    x, index = self.actnorm(f"{prefix}.{index}", x, dense), index + 1
                return x

            norms = (a["fc"],) * a["actnorm"] + (True,) * a["fc_actnorm"]
            x = after(x, norms if first and a["first_resblock"] else ())
            for i in range(depth):
                plain = first and a["first_resblock"] and i == 0 and not last and not a["fc"]
                x = self.residual(f"{prefix}.{index}", x, a["fc"], a["idim"], a["preact"] and not plain)
                index += 1
                x = after(x, norms)
            if not last:
                x = squeezed(x)
            for _ in range(4 if last and a["fc_end"] else 0):
                x, index = self.residual(f"{prefix}.{index}", x, True, a["fc_idim"], a["preact"]), index + 1
                x = after(x, (True,) if norms else ())
            if a["factor_out"] and not last:
                half = x.shape[1] // 2
                latents.append(x[:, half:].flatten(1))
                x = x[:, :half]
        return torch.cat([*latents, x.flatten(1)], dim=1)

    def log_prob(self, images: Tensor) -> Tensor:
        """By the whole Jacobian of the whole model, an image at a time."""
        jacobians = [torch.autograd.functional.jacobian(lambda x: self.encode(x[None])[0], image).flatten(1) for image in images]
        log_det = torch.linalg.slogdet(torch.stack(jacobians)).logabsdet
        return log_det - 0.5 * (self.encode(images) ** 2 + math.log(2 * math.pi)).sum(dim=1)


def squeezed(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 4C, H/2, W/2): a channel's four pixels beside each other."""
    corners = [x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    return torch.stack(corners, dim=2).flatten(1, 2)
