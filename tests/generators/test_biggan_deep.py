import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from reference.biggan_deep import render, their_state

from genviews.errors import CheckpointError, OptionError, ShapeError
from genviews.generators import load, save
from genviews.generators.biggan_deep import BigGANDeep

LAYERS = [(True, 2, 2), (False, 2, 1), (True, 1, 1)]
STATE = their_state(16, LAYERS, 1, z_dim=6, classes=5)
LATENTS = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
CLASSES = torch.tensor([4, 0, 2])


def written(folder: Path, state: Any = STATE, prefix: str = "", **options: Any) -> Path:
    """A file and, if there are options, the one beside it that holds them."""
    torch.save(state, folder / f"{prefix}pytorch_model.bin", _use_new_zipfile_serialization=False)
    if options:
        (folder / f"{prefix}config.json").write_text(json.dumps(options))
    return folder / f"{prefix}pytorch_model.bin"


def assert_renders(generator: Any, state: Any, ups: list[bool], eps: float, truncation: float = 1.0) -> None:
    one_hot = F.one_hot(CLASSES, 5).float()
    expected = render(state, LATENTS, one_hot, truncation, ups, eps)
    assert expected.std() > 0.1
    torch.testing.assert_close(generator(LATENTS, CLASSES) * 2 - 1, expected, rtol=1e-4, atol=1e-5)


def test_agrees_with_the_original_code(shared: Path) -> None:
    folder = shared / "fixtures" / "biggan_deep_hf"
    recorded = {name: torch.from_numpy(array) for name, array in np.load(folder / "io.npz").items()}
    generator = load(folder)
    assert isinstance(generator, BigGANDeep) and generator.image_shape == (3, 64, 64)
    classes = recorded["class_onehot"].argmax(1)
    soft = recorded["class_soft"] @ generator.embeddings.weight
    for images, theirs in (
        (generator(recorded["z_t1.0"], classes), "t1.0"),
        (generator.truncated(0.4)(recorded["z_t0.4"], classes), "t0.4"),
        (load(folder, truncation=0.425)(recorded["z_t0.425"], classes), "t0.425"),
        (generator.render(recorded["z_t1.0"], soft), "soft_t1.0"),
    ):
        torch.testing.assert_close(images * 2 - 1, recorded[f"out_image_{theirs}"], rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(generator.embeddings(classes), recorded["out_embed"], rtol=0, atol=0)


@pytest.mark.parametrize("prefix", ["", "biggan-deep-128-"])
@pytest.mark.parametrize("truncation", [1.0, 0.02, 0.013, 0.58, 0.999])
def test_truncations_and_both_pairs_of_names(prefix: str, truncation: float, tmp_path: Path) -> None:
    path = written(tmp_path, STATE, prefix, layers=LAYERS, eps=2e-3)
    generator = load(path if prefix else tmp_path, truncation=truncation)
    assert_renders(generator, STATE, [up for up, _, _ in LAYERS], 2e-3, truncation)


@pytest.mark.parametrize("attention", [None, 0])
def test_without_its_options_blocks_double_the_side_in_turn(attention: int | None, tmp_path: Path) -> None:
    state = their_state(16, LAYERS, attention, z_dim=6, classes=5, rows=11)
    generator = load(written(tmp_path, {f"module.{name}": tensor for name, tensor in state.items()}))
    assert generator.image_shape == (3, 8, 8)
    assert_renders(generator, state, [False, True, False], 1e-4)


def test_latents_are_drawn_as_the_original_draws_them(tmp_path: Path) -> None:
    generator = load(written(tmp_path))
    latents = generator.sample_latents(4000, rng=torch.arange(4000))
    assert 1.9 < latents.abs().max() <= 2 and 0.87 < latents.std() < 0.89
    assert generator.truncated(0.3).sample_latents(4000, rng=torch.arange(4000)).abs().max() <= 0.6
    for psi in (0.0, 1.1):
        with pytest.raises(OptionError, match=f"truncation is {psi}; BigGAN-deep has statistics for those above 0, up to 1"):
            generator.truncated(psi)
    with pytest.raises(ShapeError, match=r"takes a condition \(B,\) below 5"):
        generator(LATENTS)


def test_a_saved_one_keeps_its_statistics(tmp_path: Path) -> None:
    generator = load(written(tmp_path))
    save(generator, tmp_path / "G")
    again = load(tmp_path / "G", truncation=0.31)
    torch.testing.assert_close(again(LATENTS, CLASSES), generator.truncated(0.31)(LATENTS, CLASSES), rtol=0, atol=0)
    assert not torch.allclose(again(LATENTS, CLASSES), generator(LATENTS, CLASSES), atol=1e-2)


def test_it_compiles_whole_and_can_be_trained() -> None:
    generator = BigGANDeep((16, 16, 8), (True, False), attention=1, latent_dim=6, num_classes=4)
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
    assert generator.bn.running_means.abs().min() > 0
    generator.frozen()
    torch._dynamo.reset()
    compiled = torch.compile(generator, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(latents, classes), generator(latents, classes), rtol=1e-4, atol=1e-5)


def test_blocks_that_give_out_more_than_they_take_are_refused() -> None:
    with pytest.raises(OptionError, match=r"channels are \[8, 16\]; a block cannot give out more"):
        BigGANDeep((8, 16), (True,))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    for text, message in (
        ("{", r"config\.json is no JSON"),
        ("[]", r"config\.json holds no JSON object"),
        ('{"layers": [[true, 1, 1]]}', "does not fit what it says"),
        ('{"layers": 3}', "does not fit what it says"),
    ):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(CheckpointError, match=message) as caught:
            load(path)
        assert "\n" not in str(caught.value)
    (tmp_path / "config.json").unlink()
    lacking = {name: tensor for name, tensor in STATE.items() if "layers.2.bn_1.running" not in name}
    for state, message in (
        (lacking, r"a BigGANDeep by its looks, lacks generator\.layers\.2\.bn_1\.running_means and 1 more"),
        (STATE | {"generator.layers.1.weight": torch.ones(1)}, r"has, besides what belongs to it, generator\.layers\.1\.weight"),
        (STATE | {"generator.gen_z.weight_v": torch.ones(3)}, "does not fit what it says"),
        ({name: STATE[name] for name in STATE if "embed" not in name}, r"but lacks embeddings\.weight"),
    ):
        with pytest.raises(CheckpointError, match=message):
            load(written(tmp_path, state))
