import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from reference.generators import MADE_BY_OTHERS, name_of
from torch import nn

from genviews import checkpoints
from genviews.errors import CheckpointError, OptionError, ShapeError
from genviews.generators import FAMILIES, MLPVAE, Generator, RealNVP, available, load, save, wrap


def test_the_built_in_flow_encodes_what_it_makes() -> None:
    assert "digits-flow" in available()
    flow = load("digits-flow")
    assert flow.image_shape == (1, 8, 8) and not flow.training and not any(p.requires_grad for p in flow.parameters())
    latents = flow.sample_latents(200, rng=torch.arange(200))
    images = flow(latents)
    assert 0.15 < images.clamp(0, 1).mean() < 0.45
    assert ((images > -0.1) & (images < 1.1)).all()
    torch.testing.assert_close(flow(flow.encode(images)), images, rtol=0, atol=1e-4)
    assert flow.log_prob(images).mean() > flow.log_prob(images.flip(-1)).mean() + 10


def test_names_files_and_folders_that_are_no_generator(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none of the built-in generators: digits-flow"):
        load("digit-flow")
    torch.save({"epoch": 3}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=f"{', '.join(FAMILIES)}; build the module yourself and wrap it"):
        load(tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"model\.json is missing"):
        load(tmp_path)
    (tmp_path / "empty.pt").touch()
    with pytest.raises(CheckpointError, match="is empty"):
        load(tmp_path / "empty.pt")


def test_a_folder_whose_files_do_not_fit_each_other(tmp_path: Path) -> None:
    save(RealNVP((1, 4, 4), steps=2, hidden=8, levels=17, seed=5), tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    for change, message in (
        ({"config": description["config"] | {"hidden": 9}}, r"a RealNVP by its looks, has flow.0.net.0.weight \(8, 8\) instead"),
        ({"config": description["config"] | {"steps": 4}}, r"RealNVP by its looks, lacks flow.2.\S+ and 19 more"),
        ({"config": {"width": 9}}, "does not fit .* RealNVP.*width"),
        ({"config": description["config"] | {"image_shape": [4, 4]}}, "does not fit .*expected 3, got 2"),
        ({"config": []}, "has no config"),
        ({"family": "stylegan9"}, "no generator of the families"),
        ({"family": []}, "does not fit .* unhashable"),
        ({"family": "burgess_vae", "config": {"latent_dim": "4"}}, "does not fit .* type str"),
    ):
        (tmp_path / "model.json").write_text(json.dumps(description | change))
        with pytest.raises(CheckpointError, match=message) as caught:
            load(tmp_path)
        assert "\n" not in str(caught.value)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        load(tmp_path)


@pytest.mark.parametrize("generator", MADE_BY_OTHERS, ids=name_of)
@pytest.mark.parametrize("content", [5, "weights", [torch.ones(1)]], ids=lambda content: type(content).__name__)
def test_state_dicts_of_something_else_than_tensors(generator: Generator, content: object, tmp_path: Path) -> None:
    state = {name.removeprefix("net."): content for name in generator.state_dict()}
    for other in (state, {1: torch.ones(1)} | state, {name: torch.ones(1) for name in state}):
        torch.save(other, tmp_path / "G.pt")
        with pytest.raises(
            CheckpointError, match=r"no generator of the families|does not fit what it says|by its looks, but lacks"
        ) as caught:
            load(tmp_path / "G.pt")
        assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_wrap_scales_and_reshapes_any_module() -> None:
    module = nn.Linear(3, 12)
    generator = wrap(module, latent_dim=3, image_shape=(3, 2, 2), output_range=(-2, 2))
    latents = generator.sample_latents(5, rng=torch.arange(5))
    torch.testing.assert_close(generator(latents), (module(latents).reshape(5, 3, 2, 2) + 2) / 4)
    assert not any(p.requires_grad for p in generator.parameters())
    with pytest.raises(ShapeError, match=r"returned \(5, 12\).*image_shape=\(3, 4, 4\)"):
        wrap(module, latent_dim=3, image_shape=(3, 4, 4))(latents)
    with pytest.raises(OptionError, match="low < high"):
        wrap(module, latent_dim=3, image_shape=(3, 2, 2), output_range=(1, 1))
    with pytest.raises(OptionError, match="a Wrapped cannot be saved"):
        save(generator, "nowhere")


def test_wrap_passes_conditions_on() -> None:
    class Conditional(nn.Module):
        def forward(self, latents: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
            return latents + condition[:, None]

    generator = wrap(Conditional(), latent_dim=4, image_shape=(1, 2, 2), output_range=(0, 1), num_conditions=3)
    images = generator(torch.zeros(3, 4), torch.arange(3))
    assert images.flatten(1).mean(1).tolist() == [0, 1, 2]
    with pytest.raises(ShapeError, match=r"a condition \(B,\) below 3"):
        generator(torch.zeros(3, 4))
    with pytest.raises(ShapeError, match=r"\(2,\), expected \(3,\)"):
        generator(torch.zeros(3, 4), torch.arange(2))


def test_the_weights_themselves_instead_of_their_average(shared: Path) -> None:
    folder = shared / "fixtures" / "resflow"
    recorded = {name: torch.from_numpy(array) for name, array in np.load(folder / "io.npz").items()}
    for average, name in ((True, "out_ema_x_from_z_tight"), (False, "out_x_from_z_tight")):
        flow = load(folder, average=average)
        torch.testing.assert_close(flow(recorded["z_in"]), recorded[name].float(), rtol=0, atol=1e-5)
    path = shared / "fixtures" / "stylegan2_ada" / "checkpoint.pkl"
    recorded = {name: torch.from_numpy(array) for name, array in np.load(path.with_name("io.npz")).items()}
    images = load(path, average=False).in_space("w+")(recorded["ws_in"].flatten(1))
    torch.testing.assert_close(2 * images - 1, recorded["out_image_ws_G"], rtol=1e-4, atol=1e-4)


def test_options_of_loading(shared: Path) -> None:
    folder = shared / "fixtures" / "icgan_biggan"
    recorded = {name: torch.from_numpy(array) for name, array in np.load(folder / "io.npz").items()}
    icgan = load(folder, instances=recorded["feats"], truncation=0.5)
    assert (icgan.num_conditions, icgan.truncation) == (3, 0.5)
    images = icgan(recorded["z"], torch.arange(3))
    torch.testing.assert_close(2 * images - 1, recorded["out_image"], rtol=1e-4, atol=1e-5)
    with pytest.raises(OptionError, match=r"has no instances.*with_instances"):
        load(folder)(recorded["z"])
    with pytest.raises(OptionError, match="RealNVP is conditioned on no instances"):
        load("digits-flow", instances=recorded["feats"])


def test_weights_within_a_training_checkpoint_or_of_dataparallel(tmp_path: Path) -> None:
    vae = MLPVAE((1, 6, 6), 4, hidden=8)
    parallel = {f"module.{name}": tensor for name, tensor in vae.state_dict().items()}
    for content in ({"epoch": 3, "state_dict": vae.state_dict()}, parallel, {"model": parallel}):
        torch.save(content, tmp_path / "vae.pt")
        assert load(tmp_path / "vae.pt").fc3.weight.equal(vae.fc3.weight)


def test_values_that_are_no_network_and_options_that_are_none(tmp_path: Path) -> None:
    save(RealNVP((1, 4, 4), steps=2, hidden=8), tmp_path)
    with pytest.raises(OptionError, match="RealNVP has no option 'wings'; it has image_shape, steps, hidden"):
        load(tmp_path, wings=2)
    with pytest.raises(OptionError, match="truncation is -1"):
        load(tmp_path, truncation=-1)
    with pytest.raises(OptionError, match=r"rng is 5; pass a torch\.Generator"):
        load(tmp_path).sample_latents(2, rng=5)


FILES = {
    "fixtures/stylegan2_rosinality/checkpoint.pt": ["style.1.weight", "style.4.bias", "input.input", "convs.3.activate.bias"],
    "fixtures/bigbigan/checkpoint.pth": ["linear.weight", "blocks.1.0.bn1.stored_mean", "blocks.0.0.conv1.u0"],
    "fixtures/icgan_biggan/G_ema_best0.pth": ["shared_feat.bias", "blocks.1.1.g.weight"],
    "fixtures/biggan_deep_hf/pytorch_model.bin": ["embeddings.weight", "generator.layers.3.conv_1.weight_orig"],
    "fixtures/sngan/generator.pt": ["model.0.weight", "model.5.running_mean"],
    "fixtures/disco_vae/checkpoint.pth": ["decoder.0.weight", "encoder.11.bias"],
    "fixtures/glow/checkpoint.pt": ["blocks.0.prior.scale", "blocks.1.flows.2.invconv.w_p"],
    "checkpoints/disvae_btcvae_mnist.pt": ["decoder.lin1.weight", "encoder.conv2.bias"],
    "checkpoints/csinva_mnist_gan_mlp_G.pt": ["0.weight", "4.bias"],
}


@pytest.mark.parametrize(("file", "name"), [(file, name) for file, names in FILES.items() for name in names])
def test_what_is_missing_has_the_name_it_has_in_the_file(file: str, name: str, shared: Path, tmp_path: Path) -> None:
    source = shared / file
    for options in source.parent.glob("*.json"):
        (tmp_path / options.name).write_bytes(options.read_bytes())
    content = checkpoints.read(source)
    content = content.get("g_ema", content)
    assert any(key.removeprefix("module.") == name for key in content)
    torch.save({key: tensor for key, tensor in content.items() if key.removeprefix("module.") != name}, tmp_path / source.name)
    with pytest.raises(CheckpointError, match=rf"lacks {re.escape(name)}\b"):
        load(tmp_path / source.name)
