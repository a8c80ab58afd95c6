import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference import glow as reference
from torch import Tensor

from genviews.errors import CheckpointError, GenviewsError, OptionError, ShapeError
from genviews.generators import load
from genviews.generators.glow import Glow

OPTIONS: dict[str, dict[str, Any]] = {
    "affine": {"blocks": 2, "affine": True},
    "additive, grey": {"image_shape": (1, 12, 12), "blocks": 2, "affine": False},
    "plain convolutions": {"blocks": 3, "affine": True, "lu": False},
    "one block, additive": {"image_shape": (3, 4, 4), "blocks": 1, "affine": False, "lu": False},
}


def made(image_shape: tuple[int, int, int] = (3, 8, 8), **options: Any) -> Glow:
    """A frozen flow with random weights everywhere, negative scales among them."""
    rng = torch.Generator().manual_seed(0)
    flow = Glow(image_shape, steps=2, width=16, **options)
    with torch.no_grad():
        for name, parameter in flow.named_parameters():
            parameter += 0.03 * torch.randn(parameter.shape, generator=rng)
            if name.endswith("actnorm.scale"):
                parameter *= torch.randint(2, parameter.shape, generator=rng) * 2 - 1
    return flow.frozen()


@pytest.fixture(params=OPTIONS.values(), ids=OPTIONS)
def flow(request: pytest.FixtureRequest) -> Glow:
    return made(**request.param)


def images_like(flow: Glow, n: int) -> Tensor:
    return torch.rand((n, *flow.image_shape), generator=torch.Generator().manual_seed(1))


def test_agrees_with_the_original_code(shared: Path) -> None:
    folder = shared / "fixtures" / "glow"
    about = json.loads((folder / "about.json").read_text())
    recorded = {name: torch.from_numpy(array) for name, array in np.load(folder / "io.npz").items()}
    flow = load(folder / "checkpoint.pt", image_size=about["img_size"])
    assert isinstance(flow, Glow)
    assert (flow.config["steps"], flow.config["width"], flow.config["affine"], flow.config["lu"]) == (3, 32, False, True)
    assert [list(shape) for shape in flow.latent_shapes] == about["z_shapes"]
    latents = torch.cat([recorded[f"z{i}"].flatten(1) for i in range(len(flow.latent_shapes))], dim=1)
    images = recorded["x"] + 0.5
    parts, log_det = flow.decompose(images)
    bits = -(flow.log_prob(images) / flow.latent_dim + math.log(flow.bin_width)) / math.log(2)
    for ours, theirs in (
        (flow(latents) - 0.5, "out_sample"),
        (flow(flow.encode(images)) - 0.5, "out_reconstruct"),
        *((part.z, f"out_z{i}") for i, part in enumerate(parts)),
        (sum(part.log_prob() for part in parts), "out_log_p"),
        (log_det.mean(), "out_logdet"),
        (bits.mean(), "out_bits_per_dim"),
    ):
        torch.testing.assert_close(ours, recorded[theirs], rtol=1e-5, atol=1e-5, msg=lambda text, name=theirs: f"{name}: {text}")


def test_agrees_with_the_naive_version_to_the_options(flow: Glow) -> None:
    latents = flow.sample_latents(3, rng=torch.arange(3))
    parts = latents.split([math.prod(shape) for shape in flow.latent_shapes], dim=1)
    noise = [part.unflatten(1, shape) for part, shape in zip(parts, flow.latent_shapes, strict=True)]
    state = flow.state_dict()
    torch.testing.assert_close(flow(latents) - 0.5, reference.reverse(state, noise), rtol=1e-4, atol=1e-4)

    images, seeds = images_like(flow, 3), torch.arange(3)
    log_p, log_det, outputs = reference.forward(state, flow.dequantise(images, seeds) - 0.5)
    variables, own_log_det = flow.decompose(flow.dequantise(images, seeds))
    for own, output in zip(variables, outputs, strict=True):
        torch.testing.assert_close(own.z, output, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(own_log_det, log_det, rtol=1e-4, atol=1e-3)
    bits = reference.bits_per_dim(log_p, log_det, flow.latent_dim, 32)
    torch.testing.assert_close(flow.bits_per_dim(images, seeds), bits, rtol=1e-4, atol=1e-4)


def test_log_prob_is_the_change_of_variables_of_the_jacobian(flow: Glow) -> None:
    flow = flow.double()
    images = images_like(flow, 2).double()
    for image, log_prob in zip(images, flow.log_prob(images), strict=True):
        jacobian = torch.func.jacrev(lambda x: flow.encode(x[None])[0])(image).reshape(flow.latent_dim, -1)
        prior = torch.distributions.Normal(0, 1).log_prob(flow.encode(image[None])).sum()
        torch.testing.assert_close(log_prob, prior + torch.linalg.slogdet(jacobian).logabsdet, rtol=1e-8, atol=1e-6)


def test_generate_inverts_encode_and_encode_inverts_generate(flow: Glow) -> None:
    images, latents = images_like(flow, 4), flow.sample_latents(4, rng=torch.arange(4))
    torch.testing.assert_close(flow(flow.encode(images)), images, rtol=0, atol=1e-4)
    torch.testing.assert_close(flow.encode(flow(latents)), latents, rtol=1e-3, atol=1e-3)


def test_reads_files_of_the_original_with_any_options(flow: Glow, tmp_path: Path) -> None:
    path = tmp_path / "model_000001.pt"
    torch.save(reference.original_file(flow.state_dict()), path)
    read = load(path, image_size=flow.image_shape[1])
    lu = flow.config["lu"] or flow.config["blocks"] == 1  # the last block's convolutions always are
    assert read.config == flow.config | {"lu": lu}
    latents = flow.sample_latents(2, rng=torch.arange(2))
    assert torch.equal(read(latents), flow(latents))
    assert torch.equal(read.state_dict()["blocks.0.flows.0.actnorm.initialized"], torch.tensor(0, dtype=torch.uint8))

    (tmp_path / "args.json").write_text(json.dumps({"img_size": 16, "n_bits": 8}))
    recorded = load(path)
    assert (recorded.image_shape[1:], recorded.levels) == ((16, 16), 256)


def test_files_that_are_damaged_or_of_others(tmp_path: Path) -> None:
    flow, path = made((3, 4, 4), blocks=1), tmp_path / "model.pt"
    assert load_from(flow.state_dict(), path).image_shape == (3, 64, 64)
    for content in (None, [1], {}, {"state_dict": flow.state_dict()}, {"module.blocks.0.prior.scale": torch.zeros(1)}):
        assert Glow.recognise(content, path) is None
    state = reference.original_file(flow.state_dict())
    del state["module.blocks.0.flows.1.invconv.w_p"]
    with pytest.raises(CheckpointError, match=r"lacks blocks\.0\.flows\.1\.invconv\.w_p"):
        load_from(state, path)
    for args, message in (
        ("no JSON", r"args\.json is no JSON"),
        ('{"n_bits": 10000000000}', "bits a channel are 10000000000; .* 1 to 16"),
    ):
        (tmp_path / "args.json").write_text(args)
        with pytest.raises(GenviewsError, match=message):
            load_from(flow.state_dict(), path)


def load_from(state: dict[str, Tensor], path: Path) -> Any:
    torch.save(state, path)
    return load(path)


def test_initialise_normalises_the_input_of_every_step() -> None:
    flow = Glow((1, 8, 8), blocks=2, steps=3, width=16)
    images = 0.2 * torch.rand((100, *flow.image_shape), generator=torch.Generator().manual_seed(0)) ** 2
    flow.initialise(images)
    assert all(block.flows[i].actnorm.initialized for block in flow.blocks for i in range(3))
    seen = []
    for block in flow.blocks:
        for step in block.flows:
            step.register_forward_pre_hook(lambda step, args: seen.append(step.actnorm.scale * (args[0] + step.actnorm.loc)))
    flow.encode(images)
    assert len(seen) == 6
    for normalised in seen:
        std, mean = torch.std_mean(normalised, dim=(0, 2, 3))
        torch.testing.assert_close(std, torch.ones_like(std), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-3)


def test_a_new_flow_is_volume_preserving_but_for_its_couplings_and_learns() -> None:
    torch.manual_seed(0)
    flow = Glow((1, 28, 28), blocks=2, steps=2, width=16, affine=False)
    assert flow.latent_shapes == [(2, 14, 14), (8, 7, 7)]
    images = images_like(flow, 16).cumsum(-1) / 28
    torch.testing.assert_close(flow.decompose(images)[1], torch.zeros(16), rtol=0, atol=2e-2)
    flow.initialise(images)
    before = flow.bits_per_dim(images, torch.arange(16)).mean()
    optimiser = torch.optim.Adam(flow.parameters(), 1e-3)
    for _ in range(10):
        optimiser.zero_grad()
        loss = flow.bits_per_dim(images, torch.arange(16)).mean()
        loss.backward()
        optimiser.step()
    assert loss < before - 0.1
    assert all(p.grad is not None for p in flow.parameters())


def test_truncated_is_colder() -> None:
    flow, seeds = Glow((3, 16, 16), blocks=1, steps=1, width=4), torch.arange(50)
    latents = flow.sample_latents(50, rng=seeds)
    assert latents.abs().max() > 3
    torch.testing.assert_close(flow.truncated(0.7).sample_latents(50, rng=seeds), 0.7 * latents)


def test_derivatives_to_the_latents(flow: Glow) -> None:
    flow = flow.double()
    latents = flow.sample_latents(2, rng=torch.arange(2)).double().requires_grad_()
    direction = torch.ones_like(latents)
    _, derivative = torch.func.jvp(flow, (latents,), (direction,))
    finite = (flow(latents + 1e-6 * direction) - flow(latents - 1e-6 * direction)) / 2e-6
    torch.testing.assert_close(derivative, finite, rtol=1e-5, atol=1e-6)
    (gradient,) = torch.autograd.grad(flow(latents).sum(), latents)
    torch.testing.assert_close(gradient.sum(), derivative.sum())


def test_images_do_not_depend_on_their_batch_nor_on_compilation() -> None:
    flow = made(blocks=2)
    latents = flow.sample_latents(4, rng=torch.arange(4))
    images = flow(latents)
    torch.testing.assert_close(flow(latents[2:3]), images[2:3], rtol=1e-5, atol=1e-5)
    compiled = torch.compile(flow, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(latents), images, rtol=1e-5, atol=1e-5)


def test_bfloat16_rounds_only_inside_the_couplings(flow: Glow) -> None:
    latents = flow.sample_latents(4, rng=torch.arange(4))
    images = flow(latents)
    flow.autocast = True
    assert 0 < (flow(latents) - images).square().mean().sqrt() < 0.02 * images.std()


def test_sizes_it_cannot_halve_and_images_of_another_size_are_refused() -> None:
    with pytest.raises(OptionError, match=r"images are 28 x 28; 3 blocks .*multiples of 2\^3"):
        Glow((1, 28, 28), blocks=3)
    with pytest.raises(OptionError, match="steps is 0"):
        Glow(steps=0)
    with pytest.raises(ShapeError, match=r"takes images .*3, 8, 8.*got \(2, 3, 16, 16\)"):
        made(blocks=1).encode(torch.rand(2, 3, 16, 16))
