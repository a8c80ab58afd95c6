import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference.residual_flow import ARGS, Original
from torch import Tensor, nn

from genviews import checkpoints
from genviews.errors import GenviewsError, OptionError, ShapeError
from genviews.generators.lipschitz import LipschitzMap
from genviews.generators.log_det import by_jacobian, by_power_series, roulette
from genviews.generators.residual_flow import ResidualFlow


def opened(content: Any, path: Path) -> ResidualFlow:
    parts = ResidualFlow.recognise(content, path)
    assert parts is not None
    flow = ResidualFlow(**parts[0])
    flow.load_state_dict(parts[1])
    return flow.frozen()


def tiny(**options: Any) -> ResidualFlow:
    """A flow whose numbers are away from where they begin."""
    torch.manual_seed(0)
    options = {"image_shape": (1, 4, 4), "blocks": (1, 1), "hidden": 4, "dense_hidden": 4, "squeeze_first": False} | options
    flow = ResidualFlow(**options)
    for name, parameter in flow.named_parameters():
        nn.init.normal_(parameter, std=1.0 if "nnet" in name else 0.3)
    flow.update_lipschitz()
    return flow.frozen()


def norms(flow: ResidualFlow) -> list[LipschitzMap]:
    return [module for module in flow.modules() if isinstance(module, LipschitzMap)]


def images(n: int, *shape: int) -> Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, Tensor]:
    with np.load(shared / "fixtures" / "resflow" / "io.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.mark.parametrize("prefix", ["out", "out_ema"])
def test_agrees_with_the_original_code(prefix: str, recorded: dict[str, Tensor], shared: Path) -> None:
    path = shared / "fixtures" / "resflow" / "most_recent.pth"
    content = checkpoints.read(path)
    flow = opened(content if prefix == "out_ema" else content | {"ema": None}, path)
    x = recorded["x"]
    latents = flow.encode(x)
    torch.testing.assert_close(latents, recorded[f"{prefix}_z"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(flow(recorded["z_in"]), recorded[f"{prefix}_x_from_z_tight"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(flow(latents), x, rtol=1e-4, atol=1e-6)
    _, log_det = flow.push(x, by_jacobian)
    torch.testing.assert_close(log_det, recorded[f"{prefix}_logdet_exact"], rtol=1e-6, atol=0)
    if prefix == "out":
        bits = -(flow.log_prob(x, exact=True) / flow.latent_dim + math.log(flow.bin_width)) / math.log(2)
        torch.testing.assert_close(bits.mean(), recorded["out_bpd_exact"])
        scales = torch.stack([layer.norm() for layer in norms(flow)])
        torch.testing.assert_close(scales, recorded["out_scale"], rtol=1e-5, atol=1e-6)
    else:
        flow.update_lipschitz()
        torch.testing.assert_close(flow.encode(x), recorded["out_emaU_z"], rtol=1e-5, atol=1e-5)


def test_the_estimator_agrees_with_the_original_code(recorded: dict[str, Tensor], shared: Path) -> None:
    path = shared / "fixtures" / "resflow" / "most_recent.pth"
    flow = opened(checkpoints.read(path) | {"ema": None}, path)
    blocks = iter(range(6))

    def estimate(g: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        block = next(blocks)
        length = int(recorded["n_samples"][block].max())
        poisson = [math.exp(-2) * 2**n / math.factorial(n) for n in range(length)]
        weights = [1.0] * 20 + [1 / (1 - sum(poisson[:k])) for k in range(1, length + 1)]
        return by_power_series(g, x, recorded[f"vareps{block}"], torch.tensor(weights)[:, None])

    _, log_det = flow.push(recorded["x"], estimate)
    torch.testing.assert_close(-log_det[:, None], recorded["out_delta_logp_est"], rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "changes",
    [
        {"nblocks": "2-1-9", "n_dist": "geometric"},
        {"data": "celebahq", "nbits": 5, "factor_out": True, "nblocks": "2-1", "act": "elu"},
        {"imagesize": 16, "factor_out": True, "squeeze_first": True, "fc_end": False, "act": "softplus"},
        {"fc": True, "fc_actnorm": True, "act": "relu"},
        {"preact": False, "actnorm": False, "kernels": "3-1-1-3", "vnorms": "22222", "act": "lcube"},
        {"first_resblock": False, "actnorm": False, "fc_actnorm": True, "act": "identity", "coeff": 0.7},
        {"data": "cifar10", "nblocks": "2-9", "kernels": "1-3", "vnorms": "222", "imagesize": 4},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_agrees_with_a_naive_version(changes: dict[str, Any], tmp_path: Path) -> None:
    original = Original(ARGS | changes)
    side = original.args["imagesize"]
    x = images(2, 1 if original.args["data"] == "mnist" else 3, side, side)
    latents = original.encode(x)
    path = tmp_path / "most_recent.pth"
    torch.save(original.checkpoint(), path)
    flow = opened(checkpoints.read(path) | {"ema": None}, path).double()
    torch.testing.assert_close(flow.encode(x), latents, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(flow(latents), x, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(flow.log_prob(x, exact=True), original.log_prob(x), rtol=1e-6, atol=1e-6)
    assert flow.levels == (32 if original.args["nbits"] == 5 else 256)
    averaged = opened(checkpoints.read(path), path)
    for name, tensor in flow.state_dict().items():
        torch.testing.assert_close(averaged.state_dict()[name].double(), 2 * tensor if name.endswith("bias") else tensor)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vnorms": "122f"}, "vnorms '122f'; only '2222'"),
        ({"learn_p": True}, "learn_p True; only False"),
        ({"block": "coupling"}, "block 'coupling'; only 'resblock'"),
        ({"task": "hybrid"}, "task 'hybrid'; only 'density'"),
        ({"padding": 1}, "padding 1; only 0"),
        ({"data": "celebahq", "nbits": 10**10}, "bits a channel are 10000000000; images have 1 to 16"),
    ],
)
def test_kinds_that_are_not_read_are_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    torch.save(Original(ARGS | change).checkpoint(), tmp_path / "most_recent.pth")
    with pytest.raises(GenviewsError, match=message):
        ResidualFlow.recognise(checkpoints.read(tmp_path / "most_recent.pth"), tmp_path / "most_recent.pth")


def test_a_bare_state_dict_and_files_of_others() -> None:
    original = Original(ARGS)
    latents = original.encode(x := images(2, 1, 8, 8))
    parts = ResidualFlow.recognise(original.state, Path("model.pth"))
    assert parts is not None
    flow = ResidualFlow((1, 8, 8), (1, 1), hidden=4, dense_hidden=5, squeeze_first=False, margin=1e-6)
    flow.load_state_dict(parts[1])
    torch.testing.assert_close(flow.double().encode(x), latents, rtol=1e-6, atol=1e-6)
    for content in (None, [], {}, {"args": 1}, {"transforms.0.chain.1.weight": torch.zeros(1)}, {"args": None, "state_dict": {}}):
        assert ResidualFlow.recognise(content, Path("model.pth")) is None


@pytest.mark.parametrize("options", [{"factor_out": True}, {"activation": "elu", "dense_end": False}])
def test_derivatives_of_first_and_second_order(options: dict[str, Any]) -> None:
    flow = tiny(**options).double()
    z, v = (flow.sample_latents(3, rng=torch.arange(3) + first).double() for first in (0, 3))

    def quotient(f: Any, step: float = 1e-5) -> Tensor:
        return (f(z + step * v) - f(z - step * v)) / (2 * step)

    _, tangent = torch.func.jvp(flow, (z,), (v,))
    torch.testing.assert_close(tangent, quotient(flow), rtol=1e-6, atol=1e-8)
    pull = torch.func.grad(lambda z: flow(z).square().sum())
    torch.testing.assert_close((pull(z) * v).sum(), (2 * flow(z) * tangent).sum())
    twice = z.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(flow(twice).square().sum(), twice, create_graph=True)
    (second,) = torch.autograd.grad((gradient * v).sum(), twice)
    torch.testing.assert_close(second, quotient(pull), rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(torch.func.jvp(pull, (z,), (v,))[1], quotient(pull), rtol=1e-5, atol=1e-8)
    jacobians = torch.func.vmap(torch.func.jacrev(lambda one: flow(one[None])[0]))(z)
    torch.testing.assert_close(torch.einsum("bchwd,bd->bchw", jacobians, v), tangent)


def test_gradients_reach_the_weights_through_images() -> None:
    flow = tiny().double()
    z, bias = flow.sample_latents(2, rng=torch.arange(2)).double(), norms(flow)[0].bias
    bias.requires_grad_()
    (gradient,) = torch.autograd.grad(flow(z).sum(), bias)
    with torch.no_grad():
        bias[0] += 1e-6
        above = flow(z).sum()
        bias[0] -= 2e-6
    torch.testing.assert_close(gradient[0], (above - flow(z).sum().detach()) / 2e-6, rtol=1e-5, atol=1e-8)


def test_samples_do_not_see_each_other() -> None:
    flow = tiny(blocks=(2, 2))
    z = flow.sample_latents(4, rng=torch.arange(4)) * torch.tensor([1.0, 100.0, 0.01, 1.0])[:, None]
    x = flow(z)
    for i in range(4):
        torch.testing.assert_close(flow(z[i : i + 1])[0], x[i], rtol=0, atol=1e-6)
    densities = flow.log_prob(x)
    torch.testing.assert_close(flow.log_prob(x[2:3])[0], densities[2])
    assert not torch.allclose(flow.log_prob(x, rng=torch.arange(4)), densities, rtol=0, atol=1e-4)


def test_compiles_whole() -> None:
    flow = tiny(dense_end=False)
    z = flow.sample_latents(3, rng=torch.arange(3))
    compiled = torch.compile(flow, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(z), flow(z), rtol=0, atol=1e-6)


def test_weights_of_random_length_have_mean_one() -> None:
    draws = (torch.arange(100_000) + 0.5) / 100_000
    for distribution in ("poisson", "geometric"):
        weights = roulette(draws, 3, distribution)
        torch.testing.assert_close(weights.mean(dim=1)[:9], torch.ones(9), rtol=0.02, atol=0)
        assert (weights[:3] == 1).all() and len(weights) > 9
        lengths = (weights > 0).sum(dim=0) - 3
        assert lengths.float().mean().sub(2).abs() < 0.01


@pytest.mark.parametrize("distribution", ["poisson", "geometric"])
def test_the_estimates_of_value_and_gradient_have_no_bias(distribution: str) -> None:
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 3, generator=rng, dtype=torch.float64)
    weight = (0.3 * weight / torch.linalg.matrix_norm(weight, 2) - 0.4 * torch.eye(3)).requires_grad_()
    x = torch.randn(1, 3, generator=rng, dtype=torch.float64)

    def g(x: Tensor) -> Tensor:
        return torch.tanh(x @ weight.T)

    (value,) = by_jacobian(g, x)[1]
    (gradient,) = torch.autograd.grad(value, weight)
    values, gradients = [], []
    for _ in range(60):
        probes = torch.randn(2000, 3, generator=rng, dtype=torch.float64)
        weights = roulette(torch.rand(2000, generator=rng), 1, distribution).double()
        estimate = by_power_series(g, x.expand(2000, 3), probes, weights)[1].mean()
        values.append(estimate.detach())
        gradients.append(torch.autograd.grad(estimate, weight)[0])
    for estimates, truth in ((torch.stack(values), value), (torch.stack(gradients), gradient)):
        error = estimates.std(dim=0) / math.sqrt(len(estimates))
        assert error.max() < 0.02 * truth.abs().max()
        assert ((estimates.mean(dim=0) - truth).abs() < 4.5 * error).all()


def test_a_long_truncated_series_is_the_estimate() -> None:
    flow = tiny(series_terms=60, bound=0.9, activation="identity")
    x, seeds = images(3, 1, 4, 4).float(), torch.arange(3)
    estimate = flow.log_prob(x, rng=seeds)
    torch.testing.assert_close(flow.train().log_prob(x, rng=seeds), estimate, rtol=0, atol=0.02)
    flow.series_terms = 1
    assert (flow.log_prob(x, rng=seeds) - estimate).abs().max() > 0.05


def test_bounded_maps_contract() -> None:
    torch.manual_seed(0)
    for kernel, side in ((3, 5), (1, 5), (None, 1)):
        layer = LipschitzMap(2, 3, kernel, (side, side), bound=0.9, tolerance=1e-5, iterations=None)
        nn.init.zeros_(layer.bias)
        for factor in (10, 0.01):
            with torch.no_grad():
                layer.weight.normal_().mul_(factor)
            layer.update()
            dim = 2 * side**2
            shape = (dim, 2) if kernel is None else (dim, 2, side, side)
            norm = torch.linalg.matrix_norm(layer(torch.eye(dim).reshape(shape)).reshape(dim, -1), 2)
            assert norm < 0.9 * 1.001
            assert norm > 0.9 * 0.99 if factor == 10 else norm > 0.3 * factor


def test_initialise_gives_latents_mean_zero_and_variance_one() -> None:
    flow = ResidualFlow((1, 8, 8), blocks=(1, 1), hidden=4, dense_hidden=4)
    x = images(512, 1, 8, 8).float()
    flow.initialise(x)
    latents = flow.encode(x)
    torch.testing.assert_close(latents.mean(dim=0), torch.zeros(64), rtol=0, atol=1e-4)
    torch.testing.assert_close(latents.var(dim=0), torch.ones(64), rtol=1e-3, atol=0)


def test_learns_and_stays_invertible() -> None:
    def trained(steps: int = 25) -> tuple[list[float], ResidualFlow]:
        torch.manual_seed(0)
        flow = ResidualFlow((1, 8, 8), blocks=(1, 1), hidden=8, dense_hidden=8)
        x = flow.dequantise((images(64, 1, 8, 8).float() < 0.3) * torch.linspace(0, 1, 8), torch.arange(64))
        flow.initialise(x)
        optimiser, losses = torch.optim.Adam(flow.train().parameters(), 3e-3), []
        for step in range(steps):
            loss = -flow.log_prob(x, rng=torch.arange(64) + 64 * step).mean()
            optimiser.zero_grad()
            loss.backward()
            assert all(parameter.grad is not None for parameter in flow.parameters())
            optimiser.step()
            losses.append(loss.item())
        return losses, flow.frozen()

    losses, flow = trained()
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 3
    assert trained(steps=3)[0] == losses[:3]
    z = flow.sample_latents(8, rng=torch.arange(8))
    torch.testing.assert_close(flow.encode(flow(z)), z, rtol=1e-3, atol=1e-3)


def test_options_and_shapes_that_do_not_fit_are_refused() -> None:
    for options, message in (
        ({"image_shape": (1, 10, 12), "blocks": (1, 1, 1)}, r"\(1, 10, 12\).*multiples of 8"),
        ({"activation": "gelu"}, "'gelu'.*choose of swish, elu"),
        ({"distribution": "zipf"}, "'zipf'.*choose .*poisson, geometric"),
        ({"kernels": (2, 1, 2)}, r"\(2, 1, 2\).*odd"),
    ):
        with pytest.raises(OptionError, match=message):
            ResidualFlow(**options)
    with pytest.raises(ShapeError, match=r"takes images \(B, \(1, 4, 4\)\), got \(2, 1, 8, 8\)"):
        tiny().encode(torch.zeros(2, 1, 8, 8))
