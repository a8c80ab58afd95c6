from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from genviews.errors import CheckpointError
from genviews.generators import MLPVAE, load


def their_state(pixels: int, hidden: int, latent_dim: int) -> dict[str, Tensor]:
    """A state dict as PyTorch's example writes it, of random numbers."""
    shapes = [("1", hidden, pixels), ("21", latent_dim, hidden), ("22", latent_dim, hidden)]
    shapes += [("3", hidden, latent_dim), ("4", pixels, hidden)]
    state = OrderedDict()
    for name, outputs, inputs in shapes:
        state[f"fc{name}.weight"], state[f"fc{name}.bias"] = torch.randn(outputs, inputs) / inputs**0.5, torch.randn(outputs)
    return state


@pytest.mark.parametrize(
    ("pixels", "hidden", "latent_dim", "options", "shape"),
    [
        (784, 400, 20, {}, (1, 28, 28)),
        (196, 12, 3, {}, (1, 14, 14)),
        (3072, 12, 3, {}, (3, 32, 32)),
        (24, 12, 3, {"image_shape": (2, 3, 4)}, (2, 3, 4)),
    ],
)
def test_it_computes_what_the_example_computes(
    pixels: int,
    hidden: int,
    latent_dim: int,
    options: dict[str, Any],
    shape: tuple[int, int, int],
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    state = their_state(pixels, hidden, latent_dim)
    torch.save(state, tmp_path / "vae.pth")
    vae = load(tmp_path / "vae.pth", **options)
    assert isinstance(vae, MLPVAE) and (vae.image_shape, vae.latent_dim) == (shape, latent_dim)

    def linear(name: str, x: Tensor) -> Tensor:
        return torch.einsum("oi,bi->bo", state[f"fc{name}.weight"], x) + state[f"fc{name}.bias"]

    latents = vae.sample_latents(3, rng=torch.arange(3))
    images = 1 / (1 + torch.exp(-linear("4", linear("3", latents).clamp(min=0))))
    torch.testing.assert_close(vae(latents), images.reshape(3, *shape), rtol=1e-5, atol=1e-6)
    code = linear("1", images).clamp(min=0)
    mean, log_variance = vae.posterior(images.reshape(3, *shape))
    torch.testing.assert_close(mean, linear("21", code), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(log_variance, linear("22", code), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(vae.encode(images.reshape(3, *shape)), mean)


def test_a_missing_and_a_superfluous_layer_are_named(tmp_path: Path) -> None:
    state = their_state(16, 8, 2)
    torch.save({name: tensor for name, tensor in state.items() if name != "fc22.bias"}, tmp_path / "vae.pth")
    with pytest.raises(CheckpointError, match=r"a MLPVAE by its looks, lacks fc22\.bias"):
        load(tmp_path / "vae.pth")
    torch.save(state | {"fc5.weight": torch.ones(1)}, tmp_path / "vae.pth")
    with pytest.raises(CheckpointError, match=r"has, besides what belongs to it, fc5\.weight"):
        load(tmp_path / "vae.pth")
    torch.save(their_state(24, 8, 2), tmp_path / "vae.pth")
    with pytest.raises(CheckpointError, match=r"fc1\.weight \(8, 24\).* an option is wrong"):
        load(tmp_path / "vae.pth")
