from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor
from torchvision.transforms.functional import normalize

from genviews.encoders import load
from genviews.errors import CheckpointError
from genviews.generators.disco_vae import DiscoVAE, convolutional_encoder


def released(model: torch.nn.Module, prefix: str = "encoder.module.") -> dict[str, Any]:
    """What the authors' training would write of torchvision's ResNet."""
    state: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if name.startswith("layer"):
            state[prefix + name.replace("downsample", "shortcut")] = tensor
        elif not name.startswith("fc."):
            state[prefix + name.replace("conv1.", "stem.0.").replace("bn1.", "stem.1.")] = tensor
    head = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
    state |= {f"head.{name}": tensor for name, tensor in head.state_dict().items()}
    return {"opt": Namespace(lr=0.1), "model": state, "optimizer": {"state": {}}, "grad_updates": 3, "epoch": 100}


@pytest.mark.parametrize(
    ("name", "prefix"), [("resnet18", "encoder.module."), ("resnet34", "encoder."), ("resnet50", "encoder.")]
)
def test_a_released_encoder_gives_the_features_of_its_weights(name: str, prefix: str, tmp_path: Path) -> None:
    theirs = torchvision.models.get_model(name, weights=None)
    torch.save(released(theirs, prefix), tmp_path / "ckpt.pth")
    encoder = load(tmp_path / "ckpt.pth")
    assert encoder.config["backbone"] == name and not encoder.training
    theirs.eval().to(memory_format=torch.channels_last).fc = torch.nn.Identity()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = theirs(normalize(images, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
        torch.testing.assert_close(encoder(images), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("colours", "size", "codes", "width"), [(3, 64, 32, 64), (1, 64, 12, 8), (3, 32, 5, 8)])
def test_discos_released_encoder(colours: int, size: int, codes: int, width: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = convolutional_encoder(colours, size, codes, width)
    torch.save({f"encoder.{name}": tensor for name, tensor in theirs.state_dict().items()}, tmp_path / "encoder.pth")
    encoder = load(tmp_path / "encoder.pth")
    assert not encoder.training and encoder.num_features == codes
    expected = {"backbone": "disco", "in_channels": colours, "image_size": size, "outputs": codes, "width": width}
    assert encoder.config == expected
    images = torch.rand(2, colours, size, size)
    assert encoder(images).equal(theirs.to(memory_format=torch.channels_last)(images))
    for content, match in [
        (DiscoVAE(width=8).state_dict(), "does not fit .*Unexpected key"),
        ({"encoder.0.weight": torch.zeros(8, 3, 7, 7)}, "does not fit"),
        ({"encoder.0.weight": torch.zeros(8)}, "does not fit"),
    ]:
        torch.save(content, tmp_path / "other.pth")
        with pytest.raises(CheckpointError, match=f"other.pth {match}"):
            load(tmp_path / "other.pth")


def test_other_files_are_refused(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18()
    content = released(theirs)

    def refused(content: Any, match: str) -> None:
        torch.save(content, tmp_path / "ckpt.pth")
        with pytest.raises(CheckpointError, match=match):
            load(tmp_path / "ckpt.pth")

    refused({"state_dict": theirs.state_dict()}, "holds no encoder of COP-Gen, GenRep or DisCo")
    refused({"model": theirs.state_dict()}, "holds no encoder of COP-Gen, GenRep or DisCo")
    refused([1, 2], "holds no encoder of COP-Gen, GenRep or DisCo")
    small = {**content["model"], "encoder.module.stem.0.weight": torch.zeros(64, 3, 3, 3)}
    refused({"model": small}, "CIFAR-10")
    fewer = {name: tensor for name, tensor in content["model"].items() if ".layer4.1." not in name}
    refused({"model": fewer}, "ckpt.pth lacks")
    del content["model"]["encoder.module.layer1.0.conv1.weight"]
    refused(content, r"ckpt.pth does not fit .*layer1.0.conv1.weight")
