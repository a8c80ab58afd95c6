from pathlib import Path

import numpy as np
import pytest
import torch

from genviews.errors import OptionError
from genviews.generators import MLPGAN, load


def test_agrees_with_the_original_code(shared: Path) -> None:
    gan = load(shared / "checkpoints" / "csinva_mnist_gan_mlp_G.pt")
    recorded = np.load(shared / "fixtures" / "csinva_mnist_gan_mlp" / "io.npz")
    images = gan(torch.from_numpy(recorded["z"]))
    assert (gan.latent_dim, images.shape) == (64, (6, 1, 28, 28))
    np.testing.assert_allclose(2 * images.flatten(1) - 1, recorded["out_image"], rtol=1e-5, atol=1e-5)


def test_shapes_come_from_the_state_dict_and_an_option(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.ReLU(), torch.nn.Linear(7, 12), torch.nn.Tanh())
    torch.save(net.state_dict(), tmp_path / "G.ckpt")
    with pytest.raises(OptionError, match=r"12 numbers.*give image_shape"):
        load(tmp_path / "G.ckpt")
    gan = load(tmp_path / "G.ckpt", image_shape=(3, 2, 2))
    latents = gan.sample_latents(4, rng=torch.arange(4))
    torch.testing.assert_close(gan(latents), (net(latents).reshape(4, 3, 2, 2) + 1) / 2)


@pytest.mark.parametrize("widths", [[], [64]])
def test_a_chain_of_no_layers_is_refused(widths: list[int]) -> None:
    with pytest.raises(OptionError, match="give the sizes from the latent to the image"):
        MLPGAN(widths)


def test_only_a_chain_of_linear_layers_is_recognised() -> None:
    state = MLPGAN((5, 7, 16)).net.state_dict()
    assert MLPGAN.recognise(state, Path()) is not None
    convolution = {
        "0.weight": torch.ones(1, 1, 3, 3),
        "0.bias": torch.ones(1),
        "2.weight": torch.ones(1, 1),
        "2.bias": torch.ones(1),
    }
    for other in (state | {"step": torch.ones(1)}, {f"model.{name}": t for name, t in state.items()}, convolution, [1], None):
        assert MLPGAN.recognise(other, Path()) is None


def test_forward_derivative() -> None:
    gan = MLPGAN((5, 7, 16)).double()
    latents = torch.zeros(2, 5, dtype=torch.float64) + 0.1
    _, derivative = torch.func.jvp(gan, (latents,), (latents,))
    torch.testing.assert_close(derivative, (gan(1.000001 * latents) - gan(0.999999 * latents)) / 2e-6, rtol=1e-6, atol=1e-9)
