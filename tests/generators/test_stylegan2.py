from pathlib import Path

import numpy as np
import pytest
import torch
from reference import stylegan2 as reference
from torch import Tensor

from genviews.checkpoints import read
from genviews.errors import CheckpointError, OptionError
from genviews.generators import Generator
from genviews.generators.stylegan2 import StyleGAN2
from genviews.randomness import prior
from genviews.unpickling import Inert

PATH = Path("a.file")


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def opened(content: object, **options: object) -> StyleGAN2:
    parts = StyleGAN2.recognise(content, PATH)
    assert parts is not None
    generator = StyleGAN2(**(parts[0] | options))
    generator.load_state_dict(parts[1])
    return generator.frozen()


def without_average(content: dict[str, object]) -> dict[str, object]:
    return {name: network for name, network in content.items() if name not in ("g_ema", "G_ema")}


def small(**options: object) -> StyleGAN2:
    """A generator whose noise and biases are not zero."""
    generator = StyleGAN2((1, 16, 16), latent_dim=5, mapping=(9, 7), channels=(8, 6, 4), **options).frozen()
    for parameter in generator.parameters():
        if parameter.ndim == 1:
            parameter += 0.3 * torch.randn(parameter.shape)
    generator.mean += torch.randn(7)
    return generator


def recorded(folder: Path) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.asarray(array)) for name, array in np.load(folder / "io.npz").items()}


def agree(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=2e-5 * max(1.0, float(theirs.std())))


def agree_images(generator: Generator, latents: Tensor, theirs: Tensor, condition: Tensor | None = None) -> None:
    agree(2 * generator(latents, condition) - 1, theirs)


def test_agrees_with_rosinality(shared: Path) -> None:
    folder = shared / "fixtures" / "stylegan2_rosinality"
    content, io = read(folder / "checkpoint.pt"), recorded(folder)
    generator = opened(content)
    agree(generator.styles(io["z"]), io["out_w_broadcast"])
    agree(generator.styles(io["z"])[:, 0], io["out_w"])
    agree_images(generator, io["z"], io["out_image_z"])
    agree_images(generator.in_space("w"), io["w_in"], io["out_image_w"])
    agree_images(generator.in_space("w+"), io["wplus_in"].flatten(1), io["out_image_wplus"])
    agree_images(opened(without_average(content)).in_space("w"), io["w_in"], io["out_image_w_g"])
    assert (generator.mean - io["mean_latent"]).abs().max() < 0.1 * io["out_w"].std()  # of other samples
    generator.mean.copy_(io["mean_latent"][0])
    calm, layer = generator.truncated(float(io["truncation"])), int(io["inject_index"])
    agree(calm.styles(io["z"]), io["out_latent_trunc"])
    agree_images(calm, io["z"], io["out_image_trunc"])
    mixed = torch.cat([calm.styles(io["z"])[:, :layer], calm.styles(io["z2"])[:, layer:]], 1)
    agree_images(generator.in_space("w+"), mixed.flatten(1), io["out_image_mix"])


def test_agrees_with_stylegan2_ada(shared: Path) -> None:
    folder = shared / "fixtures" / "stylegan2_ada"
    content, io = read(folder / "checkpoint.pkl"), recorded(folder)
    generator, w_plus = opened(content), io["ws_in"].flatten(1)
    condition = io["c"].argmax(1) if generator.num_conditions else None
    cutoff = int(io["truncation_cutoff"]) if "truncation_cutoff" in io else None
    calm = generator.truncated(float(io["truncation_psi"]), cutoff)
    agree(generator.styles(io["z"], condition), io["out_ws"])
    agree(calm.styles(io["z"], condition), io["out_ws_trunc"])
    agree_images(generator, io["z"], io["out_image"], condition)
    agree_images(calm, io["z"], io["out_image_trunc"], condition)
    agree_images(generator.in_space("w+"), w_plus, io["out_image_ws"])
    agree_images(opened(without_average(content)).in_space("w+"), w_plus, io["out_image_ws_G"])
    agree_images(opened(content, noise="none").in_space("w+"), w_plus, io["out_image_ws_nonoise"])
    agree_images(opened(content["G_ema"]), io["z"], io["out_image"], condition)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("channels", [(5, 3), (4, 4, 6, 2)], ids=str)
@pytest.mark.parametrize("taps", [(1, 3, 3, 1), (1,), (1, 2), (1, 3, 2), (1, 2, 3, 4, 5, 6)], ids=str)
def test_any_rosinality_file(depth: int, channels: tuple[int, ...], taps: tuple[float, ...]) -> None:
    state = reference.rosinality_state(6, depth, channels, colours=2, taps=taps)
    generator = opened({"g_ema": {f"module.{name}": t for name, t in state.items()}, "latent_avg": torch.arange(6.0)})
    assert generator.image_shape == (2, 2 << len(channels), 2 << len(channels))
    assert generator.mean.tolist() == [0, 1, 2, 3, 4, 5]
    latents = torch.randn(3, 6)
    w = reference.rosinality_mapping(state, latents)
    agree_images(generator, latents, reference.rosinality(state, w[:, None].expand(-1, 2 * len(channels), -1)))
    w_plus = torch.randn(3, 2 * len(channels), 6)
    agree_images(generator.in_space("w+"), w_plus.flatten(1), reference.rosinality(state, w_plus))


def test_a_rosinality_file_without_filters_noise_and_mean() -> None:
    state = reference.rosinality_state()
    bare = {name: tensor for name, tensor in state.items() if not name.startswith("noises.") and not name.endswith(".kernel")}
    generator, again = opened(bare), opened(dict(bare))
    latents = generator.sample_latents(3, rng=torch.arange(3))
    assert torch.equal(generator(latents), again(latents))
    silent = state | {name: 0 * tensor for name, tensor in state.items() if name.startswith("noises.")}
    agree(opened(bare, noise="none")(latents), opened(silent)(latents))
    mean = reference.rosinality_mapping(state, prior(torch.arange(20_000), 12)).mean(0)
    torch.testing.assert_close(generator.mean, mean, rtol=0, atol=0.2)
    assert mean.abs().max() > 1


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize(
    "options",
    [{}, {"clamp": 0.7, "classes": 3}, {"noise": False, "taps": (1, 2, 2)}, {"widths": (4,), "channels": (3, 5)}],
    ids=lambda options: ",".join(options),
)
def test_any_ada_file(architecture: str, options: dict[str, object]) -> None:
    state, module = reference.ada_generator(architecture, **options)
    generator = opened({"G_ema": module, "D": None})
    assert torch.equal(generator.mean, state["mapping.w_avg"])
    latents = torch.randn(4, 5)
    condition = torch.tensor([2, 0, 1, 1]) if "classes" in options else None
    w = reference.ada_mapping(state, latents, condition)
    agree(generator.styles(latents, condition)[:, 1], w)
    expected = reference.ada(state, w[:, None].expand(-1, generator.num_styles, -1), architecture, options.get("clamp"))
    agree_images(generator, latents, expected, condition)


def test_the_mean_of_an_ada_file_without_one_is_over_all_classes() -> None:
    state, module = reference.ada_generator(classes=3)
    del module.state["_modules"]["mapping"].state["_parameters"]["w_avg"]
    mean = reference.ada_mapping(state, prior(torch.arange(30_000), 5), torch.arange(30_000) % 3).mean(0)
    torch.testing.assert_close(opened(module).mean, mean, rtol=0, atol=0.2)
    assert mean.abs().max() > 1


def test_spaces_show_the_same_images() -> None:
    generator = small(num_conditions=4)
    w, w_plus = generator.in_space("w"), generator.in_space("w+")
    assert (w.latent_dim, w_plus.latent_dim, w.num_conditions) == (7, 6 * 7, None)
    assert generator.in_space("z") is generator and w.in_space("z") is generator
    seeds, classes = torch.arange(5), torch.tensor([0, 1, 2, 3, 3])
    images = generator(generator.sample_latents(5, rng=seeds), classes)
    for space in (w, w_plus, w.in_space("w+")):
        agree(space(space.sample_latents(5, rng=seeds, condition=classes)), images)
        agree(space.sample_latents(5, rng=seeds)[2:], space.sample_latents(3, rng=seeds[2:]))
        assert next(space.parameters()) is next(generator.parameters())
    drawn = w.sample_latents(200, rng=torch.arange(200))
    counts = [
        torch.isclose(drawn, w.sample_latents(200, rng=torch.arange(200), condition=torch.full((200,), c))).all(1).sum()
        for c in range(4)
    ]
    assert sum(counts) == 200 and min(counts) > 30
    with pytest.raises(OptionError, match=r"no latent space 's'; it has z, w, w\+"):
        generator.in_space("s")


def test_truncation_draws_w_to_its_mean() -> None:
    generator, seeds = small(), torch.arange(4)
    calm, latents = generator.truncated(0.25), generator.sample_latents(4, rng=seeds)
    assert torch.equal(calm.sample_latents(4, rng=seeds), latents)
    expected = generator.mean + 0.25 * (generator.styles(latents) - generator.mean)
    agree(calm.styles(latents), expected)
    for space in (calm.in_space("w"), generator.in_space("w").truncated(0.25)):
        agree(space.sample_latents(4, rng=seeds), expected[:, 0])
        agree(space(space.sample_latents(4, rng=seeds)), calm(latents))
    agree(generator.in_space("w").sample_latents(4, rng=seeds, truncation=0.25), expected[:, 0])
    first = generator.truncated(0.25, cutoff=2)
    agree(first.styles(latents), torch.cat([expected[:, :2], generator.styles(latents)[:, 2:]], 1))
    agree(first.in_space("w+").sample_latents(4, rng=seeds), first.styles(latents).flatten(1))
    assert generator.truncated(0)(latents).std(0).max() < 1e-6


def test_noise() -> None:
    generator = small()
    latents = generator.sample_latents(2, rng=torch.arange(2))
    fixed = generator(latents)
    assert torch.equal(fixed, generator(latents)) and not torch.equal(generator.train()(latents), generator(latents))
    for noise, changes in (("random", True), ("none", False)):
        other = StyleGAN2(**(generator.config | {"noise": noise}))
        other.load_state_dict(generator.state_dict())
        for mode in (other.train(), other.eval()):
            assert torch.equal(mode(latents), mode(latents)) != changes
        assert (other(latents) - fixed).abs().max() > 0.01


def test_training_follows_the_mean_of_w() -> None:
    generator = StyleGAN2((1, 8, 8), 4, (5,), (3, 2))
    latents = generator.sample_latents(64, rng=torch.arange(64))
    generator(latents).square().mean().backward()
    torch.testing.assert_close(generator.mean, 0.005 * generator.mapping(latents, None).mean(0))
    without_gradient = [name for name, p in generator.named_parameters() if p.grad is None]
    assert not without_gradient
    mean = generator.mean.clone()
    generator.eval()(latents)
    assert torch.equal(generator.mean, mean)


def test_derivatives_in_w_plus() -> None:
    space = small().double().in_space("w+")
    latents, direction = space.sample_latents(2, rng=torch.arange(2)), torch.randn(2, 42).double()
    _, derivative = torch.func.jvp(space, (latents,), (direction,))
    quotient = (space(latents + 1e-6 * direction) - space(latents - 1e-6 * direction)) / 2e-6
    torch.testing.assert_close(derivative, quotient, rtol=1e-5, atol=1e-7)
    each = torch.func.vmap(lambda w, d: torch.func.jvp(lambda w: space(w[None])[0], (w,), (d,))[1])(latents, direction)
    torch.testing.assert_close(each, derivative)


def test_compiles_as_one_graph() -> None:
    torch._dynamo.reset()
    generator = small(num_conditions=3)
    inputs = (generator.sample_latents(3, rng=torch.arange(3)), torch.arange(3))
    torch.testing.assert_close(torch.compile(generator, backend="aot_eager", fullgraph=True)(*inputs), generator(*inputs))


def test_files_that_cannot_be_read_say_why() -> None:
    network = Inert("dnnlib.tflib.network.Network", state={"version": 4})
    with pytest.raises(CheckpointError, match=r"a\.file is a pickle of TensorFlow's StyleGAN; convert it with legacy\.py"):
        StyleGAN2.recognise((network, network, network), PATH)
    _, module = reference.ada_generator()
    module.state["_modules"]["synthesis"].state["_modules"]["input"] = Inert("SynthesisInput")
    with pytest.raises(CheckpointError, match=r"a\.file is a StyleGAN3"):
        StyleGAN2.recognise({"G_ema": module}, PATH)
    state = reference.rosinality_state()
    state["convs.2.conv.blur.kernel"] = state["convs.2.conv.blur.kernel"] * 2
    with pytest.raises(CheckpointError, match=r"a\.file filters some sizes otherwise than others \(blur\.kernel\)"):
        StyleGAN2.recognise(state, PATH)


def test_other_content_is_another_familys() -> None:
    state = reference.rosinality_state()
    without = {name: tensor for name, tensor in state.items() if name != "input.input"}
    empty = Inert("Generator", state={"_modules": {"mapping": Inert("M")}})
    for content in (
        None,
        5,
        [],
        (),
        {},
        {"g_ema": 3},
        {"g_ema": without},
        {"g_ema": {**state, "step": 3}},
        empty,
        {"G_ema": empty},
    ):
        assert StyleGAN2.recognise(content, PATH) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shape": (3, 28, 28)}, r"\(3, 28, 28\).*square, of 8, 16"),
        ({"channels": (8, 8)}, r"channels is \(8, 8\); give one number for each of the 5 sizes"),
        ({"noise": "const"}, "noise is 'const'; choose fixed, random or none"),
        ({"architecture": "res"}, "architecture is 'res'; choose skip, resnet or orig"),
        ({"activation": "swish"}, "activation is 'swish'; choose one of lrelu, relu, linear"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        StyleGAN2(**options)
