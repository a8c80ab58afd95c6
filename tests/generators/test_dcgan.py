from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from genviews.errors import CheckpointError, OptionError
from genviews.generators import DCGAN, load

State = dict[str, Tensor]


def their_state(channels: list[int], kernels: list[int]) -> State:
    """A state dict as PyTorch's example writes it, of random numbers; channels from the latent to the image."""
    torch.manual_seed(0)
    state: State = {}
    for i, kernel in enumerate(kernels):
        inputs, outputs = channels[i : i + 2]
        state[f"main.{3 * i}.weight"] = torch.randn(inputs, outputs, kernel, kernel) / (4 * inputs) ** 0.5
        if i < len(kernels) - 1:
            for name in ("weight", "bias", "running_mean"):
                state[f"main.{3 * i + 1}.{name}"] = torch.randn(outputs)
            state[f"main.{3 * i + 1}.running_var"] = torch.rand(outputs) + 0.5
            state[f"main.{3 * i + 1}.num_batches_tracked"] = torch.tensor(3)
    return state


def naive(state: State, latents: Tensor, last_padding: int) -> Tensor:
    """The example's images (B, C, H, W) in [-1, 1], written down layer by layer."""
    x, i = latents[:, :, None, None], 0
    while f"main.{i + 1}.weight" in state:
        x = F.conv_transpose2d(x, state[f"main.{i}.weight"], stride=2 if i else 1, padding=1 if i else 0)
        mean, var, weight, bias = (
            state[f"main.{i + 1}.{name}"][:, None, None] for name in ("running_mean", "running_var", "weight", "bias")
        )
        x = ((x - mean) / (var + 1e-5).sqrt() * weight + bias).clamp(min=0)
        i += 3
    last = state[f"main.{i}.weight"]
    return F.conv_transpose2d(x, last, stride=1 if last.shape[2] == 1 else 2, padding=last_padding).tanh()


FILES = {
    "the example": ([9, 16, 8, 4, 2, 3], [4] * 5, 1, (3, 64, 64)),
    "32 px": ([9, 8, 4, 2, 1], [4] * 4, 1, (1, 32, 32)),
    "a square of 7": ([9, 8, 4, 1], [7, 4, 4], 1, (1, 28, 28)),
    "csinva's CIFAR-10": ([9, 16, 8, 4, 2, 3], [4, 4, 4, 4, 1], 0, (3, 32, 32)),
    "csinva's MNIST": ([9, 16, 8, 4, 2, 1], [4, 4, 4, 4, 1], 2, (1, 28, 28)),
}


@pytest.mark.parametrize("name", FILES)
def test_it_computes_what_the_original_computes(name: str, tmp_path: Path) -> None:
    channels, kernels, last_padding, shape = FILES[name]
    state = their_state(channels, kernels)
    torch.save(state, tmp_path / "netG.pth")
    gan = load(tmp_path / "netG.pth")
    assert isinstance(gan, DCGAN) and (gan.latent_dim, gan.image_shape) == (9, shape)
    latents = gan.sample_latents(3, rng=torch.arange(3))
    torch.testing.assert_close(2 * gan(latents) - 1, naive(state, latents, last_padding), rtol=1e-4, atol=1e-5)


def test_the_crop_can_be_given(tmp_path: Path) -> None:
    state = their_state([9, 8, 4, 2, 1, 1], [4, 4, 4, 4, 1])
    torch.save(state, tmp_path / "netG.pth")
    gan = load(tmp_path / "netG.pth", image_shape=(1, 32, 32))
    latents = gan.sample_latents(2, rng=torch.arange(2))
    torch.testing.assert_close(2 * gan(latents) - 1, naive(state, latents, 0), rtol=1e-4, atol=1e-5)
    for size in (30.5, 31, 34):
        with pytest.raises(OptionError, match=r"kernels of 4 to 1 and 4 channels make 32 x 32 pixels or, cropped"):
            load(tmp_path / "netG.pth", image_shape=(1, size, size))


def test_files_of_data_parallel_and_of_old_pytorch(tmp_path: Path) -> None:
    state = their_state([9, 8, 4, 3], [4] * 3)
    old = {f"module.{name}": tensor for name, tensor in state.items() if "num_batches" not in name}
    for name, content in (("new", state), ("old", old)):
        torch.save(content, tmp_path / name)
    latents = torch.randn(2, 9)
    assert torch.equal(load(tmp_path / "new")(latents), load(tmp_path / "old")(latents))


def test_a_missing_layer_is_named_and_a_discriminator_is_none(tmp_path: Path) -> None:
    state = their_state([9, 8, 4, 2, 3], [4] * 4)
    for name in ("main.3.weight", "main.4.running_var"):
        torch.save({key: tensor for key, tensor in state.items() if key != name}, tmp_path / "netG.pth")
        with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
            load(tmp_path / "netG.pth")
    score = {"main.0.weight": torch.ones(8, 3, 4, 4), "main.2.weight": torch.ones(16, 8, 4, 4), "main.3.weight": torch.ones(16)}
    score |= {"main.3.running_mean": torch.ones(16), "main.5.weight": torch.ones(1, 16, 4, 4)}
    assert DCGAN.recognise(score, tmp_path) is None


def test_a_fresh_generator_has_the_example_s_initial_weights() -> None:
    state = DCGAN((3, 64, 64), channels=(64, 32, 16, 8)).state_dict()
    assert state["main.3.weight"].std().item() == pytest.approx(0.02, rel=0.05)
    assert state["main.1.weight"].mean().item() == pytest.approx(1, abs=0.01) and state["main.1.bias"].abs().max() == 0
    with pytest.raises(OptionError, match=r"image_shape is \(1, 28, 28\)"):
        DCGAN((1, 28, 28))
