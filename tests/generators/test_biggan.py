import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference.biggan import render, their_state
from torch import nn

from genviews.errors import CheckpointError, OptionError, ShapeError
from genviews.generators import load
from genviews.generators.biggan import BigGAN

LATENTS = torch.randn(3, 12, generator=torch.Generator().manual_seed(1))
CLASSES = torch.tensor([5, 0, 2])
STATE = their_state([16, 16, 8], 4)
CONFIG = {"BN_eps": 2e-3, "SN_eps": 1e-6, "hier": True, "G_shared": True, "G_activation": nn.ReLU(), "norm_style": "bn"}


def written(folder: Path, state: Any = STATE, name: str = "G_ema.pth", **options: Any) -> Path:
    """A file and, if there are options, the one beside it that holds them."""
    torch.save(state, folder / name)
    if options:
        torch.save({"itr": 3, "config": options}, folder / name.replace("G_ema", "state_dict"))
    return folder / name


def assert_renders(generator: BigGAN, state: dict[str, torch.Tensor], y: torch.Tensor, **how: Any) -> None:
    expected = render(state, LATENTS, y, **how)
    assert expected.std() > 0.1
    torch.testing.assert_close(generator(LATENTS, CLASSES) * 2 - 1, expected, rtol=1e-4, atol=1e-5)


def test_bigbigan_agrees_with_the_original_code(shared: Path) -> None:
    folder = shared / "fixtures" / "bigbigan"
    recorded = {name: torch.from_numpy(array) for name, array in np.load(folder / "io.npz").items()}
    generator = load(folder / "checkpoint.pth")
    assert isinstance(generator, BigGAN) and generator.num_conditions is None
    for condition, theirs in ((None, "out_image"), (recorded["classes"], "out_image_cls")):
        images = generator(recorded["z"], condition)
        torch.testing.assert_close(images * 2 - 1, recorded[theirs], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(generator.embed(torch.tensor([0])), recorded["out_shared0"], rtol=0, atol=0)
    conditional = load(folder / "checkpoint.pth", conditional=True)
    assert conditional.num_conditions == 7
    torch.testing.assert_close(conditional(recorded["z"], recorded["classes"]), images, rtol=0, atol=0)
    with pytest.raises(ShapeError, match="takes a condition"):
        conditional(recorded["z"])


def test_a_bare_file_is_bigbigans(tmp_path: Path) -> None:
    generator = load(written(tmp_path, name="BigBiGAN_x1.pth"))
    assert isinstance(generator, BigGAN) and generator.num_conditions is None
    assert_renders(generator, STATE, STATE["shared.weight"][CLASSES], eps=1e-4)
    torch.testing.assert_close(generator(LATENTS), generator(LATENTS, torch.zeros(3).long()), rtol=0, atol=0)
    again = load(tmp_path)
    torch.testing.assert_close(again(LATENTS), generator(LATENTS), rtol=0, atol=0)


@pytest.mark.parametrize("suffix", ["", "_best1"])
def test_a_file_with_its_options_beside_it(suffix: str, tmp_path: Path) -> None:
    torch.save({"config": {"BN_eps": 9.0}}, tmp_path / "state_dict_another.pth")
    path = written(tmp_path, {f"module.{name}": tensor for name, tensor in STATE.items()}, f"G_ema{suffix}.pth", **CONFIG)
    generator = load(path)
    assert isinstance(generator, BigGAN) and generator.num_conditions == 7
    assert_renders(generator, STATE, STATE["shared.weight"][CLASSES], eps=2e-3)


def test_a_file_that_lost_its_options_still_takes_classes(tmp_path: Path) -> None:
    generator = load(written(tmp_path))
    assert isinstance(generator, BigGAN) and generator.num_conditions == 7
    assert_renders(generator, STATE, STATE["shared.weight"][CLASSES], eps=1e-5)


def test_an_unconditional_one_that_was_trained_with_constant_classes(tmp_path: Path) -> None:
    assert load(written(tmp_path, constant_conditioning=True)).num_conditions is None


VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no attention": ({"attention": ()}, {}),
    "two attentions": ({"attention": (0, 1)}, {}),
    "no spectral norm": ({"spectral": False}, {}),
    "bottom": ({"bottom": 2}, {}),
    "features unused": ({"features": (2048, 6)}, {"class_cond": True, "instance_cond": False}),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants(name: str, tmp_path: Path) -> None:
    shape, options = VARIANTS[name]
    state = their_state([16, 16, 8], 4, **shape)
    generator = load(written(tmp_path, state, **(CONFIG | options)))
    assert_renders(generator, state, state["shared.weight"][CLASSES], eps=2e-3)


@pytest.mark.parametrize("shared", [10, None])
def test_latents_that_are_not_cut(shared: int | None, tmp_path: Path) -> None:
    state = their_state([16, 16, 8], 12, shared=shared, conditions=shared)
    generator = load(written(tmp_path, state, BN_eps=2e-3))
    assert isinstance(generator, BigGAN) and generator.latent_dim == 12 and generator.num_conditions == 7
    y = CLASSES if shared is None else state["shared.weight"][CLASSES]
    assert_renders(generator, state, y, eps=2e-3, hierarchical=False)


@pytest.mark.parametrize("kind", ["cross_replica", "mybn"])
def test_statistics_of_other_kinds_of_batchnorm(kind: str, tmp_path: Path) -> None:
    prefix, counter = (
        (".bn.running_", "num_batches_tracked") if kind == "cross_replica" else (".bn.stored_", "accumulation_counter")
    )
    state = {name.replace(".stored_", prefix): tensor for name, tensor in STATE.items()}
    state |= {re.sub("(running|stored)_mean$", counter, name): torch.zeros(1) for name in state if name.endswith("_mean")}
    if kind == "cross_replica":
        state["output_layer.0.bn.weight"] = state.pop("output_layer.0.gain")
        state["output_layer.0.bn.bias"] = state.pop("output_layer.0.bias")
    generator = load(written(tmp_path, state, **CONFIG))
    assert_renders(generator, STATE, STATE["shared.weight"][CLASSES], eps=2e-3)


def test_between_two_classes() -> None:
    generator = BigGAN(4, 6, channels=(8, 8), attention=(8,), latent_dim=4).frozen()
    first, second = generator.embed(torch.tensor([0, 1])).unsqueeze(1)
    latents = generator.sample_latents(1, rng=torch.arange(1))
    torch.testing.assert_close(generator.render(latents, first), generator(latents, torch.tensor([0])))
    middle = generator.render(latents, (first + second) / 2)
    assert not torch.allclose(middle, generator.render(latents, first), atol=1e-4)


def test_it_compiles_whole_and_can_be_trained() -> None:
    generator = BigGAN(4, 6, channels=(8, 8, 8), attention=(8,), latent_dim=6)
    optimizer = torch.optim.Adam(generator.parameters(), 0.02)
    latents, classes = generator.sample_latents(16, rng=torch.arange(16)), torch.arange(16) % 4
    target = classes[:, None, None, None] / 4 + 0.1
    losses = []
    for _ in range(30):
        loss = (generator(latents, classes) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 4
    assert generator.net.blocks[0][0].bn1.running_mean.abs().min() > 0
    generator.frozen()
    torch._dynamo.reset()
    compiled = torch.compile(generator, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(latents, classes), generator(latents, classes), rtol=1e-4, atol=1e-5)


def test_arguments_that_cannot_be() -> None:
    with pytest.raises(OptionError, match=r"attention is at \[64\]; the blocks give out \[8, 16, 32\]"):
        BigGAN(attention=(64,))
    with pytest.raises(OptionError, match="latent_dim 10 is no multiple of 4"):
        BigGAN(latent_dim=10)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for options, message in (
        ({"norm_style": "in"}, "normalises by 'in'; only BatchNorm"),
        ({"hier": False}, "has conditions of 14 numbers, which its embeddings do not make"),
    ):
        with pytest.raises(CheckpointError, match=message):
            load(written(tmp_path, **options))
    torch.save({"itr": 3}, tmp_path / "state_dict.pth")
    with pytest.raises(CheckpointError, match=r"state_dict\.pth has no config, the options of G_ema\.pth"):
        load(tmp_path / "G_ema.pth")
    (tmp_path / "state_dict.pth").unlink()
    lacking = {name: tensor for name, tensor in STATE.items() if not name.startswith("blocks.1.0.bn2.stored")}
    for state, message in (
        (lacking, r"a BigGAN by its looks, lacks blocks\.1\.0\.bn2\.stored_mean and 1 more"),
        (
            STATE | {"blocks.1.0.conv9.weight": torch.ones(1)},
            r"has, besides what belongs to it, blocks\.1\.0\.conv9\.weight",
        ),
        (STATE | {"linear.weight": torch.ones(3)}, "does not fit what it says"),
        ({name: STATE[name] for name in STATE if "output" not in name}, r"but lacks output_layer\.2\.weight"),
    ):
        with pytest.raises(CheckpointError, match=message) as caught:
            load(written(tmp_path, state))
        assert "\n" not in str(caught.value) and re.search(r"G_ema\.pth", str(caught.value))
