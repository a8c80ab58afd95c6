from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from genviews.errors import CheckpointError, OptionError
from genviews.generators import SNGAN, load

State = dict[str, Tensor]


def their_state(channels: list[int], latent_dim: int, colours: int) -> State:
    """A state dict as GANLatentDiscovery writes it, of random numbers."""
    rng = torch.Generator().manual_seed(0)
    state: State = {}

    def layer(name: str, *shape: int) -> None:
        state[f"{name}.weight"] = torch.randn(shape, generator=rng) / (shape[1] * 9) ** 0.5
        state[f"{name}.bias"] = torch.randn(shape[0], generator=rng)

    def norm(name: str, size: int) -> None:
        for what in ("weight", "bias", "running_mean"):
            state[f"{name}.{what}"] = torch.randn(size, generator=rng)
        state[f"{name}.running_var"] = torch.rand(size, generator=rng) + 0.5
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    layer("model.0", channels[0] * 16, latent_dim)
    for i, (before, after) in enumerate(pairwise(channels), 2):
        layer(f"model.{i}.conv1", after, before, 3, 3)
        layer(f"model.{i}.conv2", after, after, 3, 3)
        norm(f"model.{i}.model.0", before)
        norm(f"model.{i}.model.4", after)
        for twin, original in ((3, "conv1"), (6, "conv2")):
            for what in ("weight", "bias"):
                state[f"model.{i}.model.{twin}.{what}"] = state[f"model.{i}.{original}.{what}"]
        if before != after:
            layer(f"model.{i}.bypass.1", after, before, 3, 3)
    norm(f"model.{len(channels) + 1}", channels[-1])
    layer(f"model.{len(channels) + 3}", colours, channels[-1], 3, 3)
    return state


def naive(state: State, latents: Tensor) -> Tensor:
    """The generator's images (B, C, H, W) in [-1, 1], written down layer by layer."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (state[f"{name}.{k}"][:, None, None] for k in ("running_mean", "running_var", "weight", "bias"))
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def conv(x: Tensor, name: str) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    def double(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    x = latents @ state["model.0.weight"].T + state["model.0.bias"]
    x = x.reshape(len(x), -1, 4, 4)
    i = 2
    while f"model.{i}.conv1.weight" in state:
        block = f"model.{i}"
        y = conv(double(norm(x, f"{block}.model.0").clamp(min=0)), f"{block}.conv1")
        y = conv(norm(y, f"{block}.model.4").clamp(min=0), f"{block}.conv2")
        x = y + (conv(double(x), f"{block}.bypass.1") if f"{block}.bypass.1.weight" in state else double(x))
        i += 1
    return conv(norm(x, f"model.{i}").clamp(min=0), f"model.{i + 2}").tanh()


@pytest.mark.parametrize("name", ["", "generator.pt"], ids=["folder", "file"])
def test_agrees_with_the_original_code(name: str, shared: Path) -> None:
    gan = load(shared / "fixtures" / "sngan" / name)
    recorded = np.load(shared / "fixtures" / "sngan" / "io.npz")
    images = gan(torch.from_numpy(recorded["z"]))
    assert gan.image_shape == (1, 32, 32)
    np.testing.assert_allclose(2 * images - 1, recorded["out_image"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [[6, 6, 6, 6], [16, 8, 8, 4, 2], [5, 3]])
@pytest.mark.parametrize("prefix", ["model.", ""])
def test_channels_sizes_and_bypasses_come_from_the_state_dict(channels: list[int], prefix: str, tmp_path: Path) -> None:
    state = their_state(channels, latent_dim=7, colours=3)
    torch.save({prefix + name.removeprefix("model."): tensor for name, tensor in state.items()}, tmp_path / "generator.pt")
    gan = load(tmp_path)
    size = 2 << len(channels)
    assert (gan.latent_dim, gan.image_shape) == (7, (3, size, size))
    latents = gan.sample_latents(3, rng=torch.arange(3))
    torch.testing.assert_close(2 * gan(latents) - 1, naive(state, latents), rtol=1e-4, atol=1e-5)


def test_what_was_saved_a_second_time_must_be_the_same(tmp_path: Path) -> None:
    state = their_state([6, 6, 6, 6], latent_dim=7, colours=1)
    state["model.3.conv2.bias"] = state["model.3.conv2.bias"] + 1
    torch.save(state, tmp_path / "generator.pt")
    with pytest.raises(CheckpointError, match=r"a SNGAN by its looks, has, .*model\.3\.conv2\.bias"):
        load(tmp_path)


def test_channels_that_do_not_fit_the_image_are_refused() -> None:
    with pytest.raises(OptionError, match=r"channels is \[8, 8\]; images of 32 pixels take 4"):
        SNGAN((3, 32, 32), channels=[8, 8])
    for shape in ((3, 28, 28), (3, 32, 64), (3, 4, 4)):
        with pytest.raises(OptionError, match="square, of 8, 16, 32, 64"):
            SNGAN(shape)


def test_a_fresh_generator_shows_different_images() -> None:
    torch.manual_seed(0)
    gan = SNGAN((1, 32, 32), latent_dim=16, channels=(8, 8, 8, 8))
    images = gan(gan.sample_latents(16, rng=torch.arange(16)))
    assert images.shape == (16, 1, 32, 32)
    assert images.std(dim=0).mean() > 0.05 and 0.2 < images.mean() < 0.8
