import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from genviews.errors import CheckpointError, GenviewsError
from genviews.generators import DiscoVAE, load


def test_agrees_with_the_original_code(shared: Path) -> None:
    vae = load(shared / "fixtures" / "disco_vae" / "checkpoint.pth")
    assert isinstance(vae, DiscoVAE)
    recorded = {key: torch.from_numpy(value) for key, value in np.load(shared / "fixtures" / "disco_vae" / "io.npz").items()}
    mean, log_variance = vae.posterior(recorded["x"])
    for ours, theirs in (
        (vae(recorded["z"]), recorded["out_image"]),
        (mean, recorded["out_mu"]),
        (log_variance, recorded["out_logvar"]),
        (vae(vae.encode(recorded["x"])), recorded["out_recon_logits"].sigmoid()),
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def naive(state: dict[str, Tensor], latents: Tensor, period: float | None) -> Tensor:
    """The decoder's images, written down layer by layer."""
    x = latents
    if period is not None:
        x = torch.stack([f(2 * math.pi / period * z) for f in (torch.sin, torch.cos) for z in latents.T], dim=1)
    for i in (0, 2, 4):
        x = (x @ state[f"decoder.{i}.weight"].T + state[f"decoder.{i}.bias"]).clamp(min=0)
    x = x.reshape(len(x), -1, 4, 4)
    i = 7
    while f"decoder.{i + 2}.weight" in state:
        x = F.conv_transpose2d(x, state[f"decoder.{i}.weight"], state[f"decoder.{i}.bias"], stride=2, padding=1).clamp(min=0)
        i += 2
    return F.conv_transpose2d(x, state[f"decoder.{i}.weight"], state[f"decoder.{i}.bias"], padding=3).sigmoid()


@pytest.mark.parametrize("period", [10.0, None])
@pytest.mark.parametrize(("size", "latent_dim"), [(32, 4), (64, 10), (256, 3)])
def test_sizes_come_from_the_state_dict_whole_or_decoder_alone(
    size: int, latent_dim: int, period: float | None, tmp_path: Path
) -> None:
    original = DiscoVAE((1, size, size), latent_dim, width=2, period=period)
    state = original.state_dict()
    depth = int(math.log2(size)) - 2  # the original's classes for 32, 64 and 256 pixels differ in this
    assert len(state) == 2 * (depth + 1 + 3 + depth + 1 + 3)
    torch.save(state, tmp_path / "vae.pth")
    torch.save({name: tensor for name, tensor in state.items() if name.startswith("decoder.")}, tmp_path / "decoder.pth")
    vae = load(tmp_path / "vae.pth")
    latents = 3 * vae.sample_latents(2, rng=torch.arange(2))
    expected = naive(state, latents, period)
    torch.testing.assert_close(vae(latents), expected, rtol=1e-5, atol=1e-6)
    options: dict[str, Any] = {} if period or latent_dim == 10 else {"latent_dim": latent_dim, "period": None}
    decoder = load(tmp_path / "decoder.pth", **options)
    torch.testing.assert_close(decoder(latents), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(GenviewsError, match="without an encoder; invert images by optimisation"):
        decoder.encode(expected)


def test_the_period_can_be_given(tmp_path: Path) -> None:
    state = {name: 3 * tensor for name, tensor in DiscoVAE((3, 32, 32), 4, width=2).state_dict().items()}
    torch.save(state, tmp_path / "vae.pth")
    vae = load(tmp_path / "vae.pth", period=6.0)
    latents = vae.sample_latents(3, rng=torch.arange(3))
    torch.testing.assert_close(vae(latents + 6), vae(latents), rtol=1e-4, atol=1e-5)
    of_ten = load(tmp_path / "vae.pth")
    torch.testing.assert_close(of_ten(latents + 10), of_ten(latents), rtol=1e-4, atol=1e-5)
    assert (of_ten(latents + 6) - of_ten(latents)).abs().max() > 1e-2


def test_a_missing_layer_is_named(tmp_path: Path) -> None:
    state = DiscoVAE((3, 32, 32), 4, width=2).state_dict()
    for name in ("decoder.9.weight", "encoder.13.weight", "encoder.2.bias"):
        torch.save({key: tensor for key, tensor in state.items() if key != name}, tmp_path / "vae.pth")
        with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
            load(tmp_path / "vae.pth")
    for others in (state.keys() - {"decoder.0.weight"}, {name for name in state if name.startswith("encoder")}):
        assert DiscoVAE.recognise({name: state[name] for name in others}, tmp_path) is None
