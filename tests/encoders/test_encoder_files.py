import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file
from torch import nn

from genviews.encoders import Encoder, load, save
from genviews.errors import CheckpointError

KINDS = [
    ("conv-small", 1, 16, {}),
    ("conv-small", 3, None, {"width": 4}),
    ("resnet18-cifar", 3, None, {}),
    ("resnet18", 1, 32, {}),
    ("resnet18", 2, None, {}),
    ("vit_tiny_patch16_224", 3, 32, {"depth": 1}),
    ("disco", 1, 16, {"width": 4}),
    ("disco", 3, None, {"width": 2, "outputs": 5}),
    ("conv-small", 1, None, {"width": 4, "outputs": 5}),
    ("resnet18", 3, None, {"outputs": 5}),
]


def trained(backbone: str, channels: int, side: int | None, options: dict) -> Encoder:
    """An encoder whose every weight and statistic differs from those of a new one."""
    encoder = Encoder(backbone, channels, side, **options)
    rng = torch.Generator().manual_seed(0)
    for tensor in (*encoder.backbone.parameters(), *encoder.backbone.buffers()):
        if tensor.is_floating_point():
            tensor.data *= 0.9 + 0.2 * torch.rand(tensor.shape, generator=rng)
    return encoder.eval()


@pytest.mark.parametrize(("backbone", "channels", "side", "options"), KINDS)
def test_the_file_gives_the_same_features_here_and_in_plain_python(
    backbone: str, channels: int, side: int | None, options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = trained(backbone, channels, side, options)
    images = torch.rand(3, channels, 40, 40) if side or backbone == "disco" else torch.rand(3, channels, 32, 32)
    save(encoder, tmp_path / "f", seed=7)
    loaded = load(tmp_path / "f")
    assert not loaded.training and loaded.num_features == encoder.num_features and loaded.config == encoder.config
    with torch.no_grad():
        expected = encoder(images)
        assert loaded(images).equal(expected)

    description = json.loads((tmp_path / "f" / "model.json").read_text())
    assert description["kind"] == "encoder" and description["seed"] == 7
    monkeypatch.chdir(tmp_path / "f")
    names = {"torch": torch, "nn": nn, "timm": timm, "load_file": load_file, "images": images}
    with torch.no_grad():
        exec("\n".join(description["python"]), names)
        expected = encoder.to(memory_format=torch.contiguous_format)(images)
    torch.testing.assert_close(names["features"], expected, rtol=1e-6, atol=1e-6)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.json is missing"):
        load(tmp_path)
    (tmp_path / "model.json").write_text('{"family": "realnvp", "config": {}}')
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        load(tmp_path)
    save(Encoder(in_channels=1), tmp_path)
    for description, message in [
        ({"family": "realnvp", "config": {}}, "holds a generator, no encoder; name what pretrain wrote"),
        ({"kind": "navigator", "config": {}}, "holds a navigator, no encoder"),
        ({"kind": "encoder"}, "has no config"),
        (["encoder"], "holds no JSON object"),
        ({"kind": "encoder", "config": {"in_channels": "3"}}, "does not fit what it says it is"),
        ({"kind": "encoder", "config": {"backbone": None}}, "does not fit .* 'NoneType'"),
        ({"kind": "encoder", "config": {"backbone": "conv-small", "widht": 4}}, "unexpected keyword argument 'widht'"),
        ({"kind": "encoder", "config": {"backbone": "conv-small", "in_channels": 3}}, "does not fit .* size mismatch"),
        ({"kind": "encoder", "config": {"backbone": "resnet18"}}, "does not fit .* Missing key"),
    ]:
        (tmp_path / "model.json").write_text(json.dumps(description))
        with pytest.raises(CheckpointError, match=message) as caught:
            load(tmp_path)
        assert "\n" not in str(caught.value)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    save(Encoder(), tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="is truncated"):
        load(tmp_path)
