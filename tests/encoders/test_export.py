from pathlib import Path

import pytest
import timm
import torch
import torchvision

from genviews.cli import main
from genviews.encoders import Encoder, export, save
from genviews.errors import OptionError


def trained(backbone: str) -> Encoder:
    encoder = Encoder(backbone)
    rng = torch.Generator().manual_seed(0)
    for tensor in encoder.backbone.state_dict().values():
        if tensor.is_floating_point():
            tensor.mul_(0.9 + 0.2 * torch.rand(tensor.shape, generator=rng))
    return encoder.eval()


def normalised(images: torch.Tensor) -> torch.Tensor:
    return torchvision.transforms.functional.normalize(images, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvision_and_timm_give_the_same_features(name: str, tmp_path: Path) -> None:
    encoder, images = trained(name), torch.rand(2, 3, 64, 64)
    export(encoder, tmp_path / "a.pth")
    export(encoder, tmp_path / "new" / "b.pth", "timm")
    theirs = torchvision.models.get_model(name, weights=None).eval()
    missing = theirs.load_state_dict(torch.load(tmp_path / "a.pth"), strict=False)
    assert (missing.missing_keys, missing.unexpected_keys) == (["fc.weight", "fc.bias"], [])
    theirs.fc = torch.nn.Identity()
    model = timm.create_model(name, num_classes=0).eval()
    model.load_state_dict(torch.load(tmp_path / "new" / "b.pth"))
    with torch.no_grad():
        torch.testing.assert_close(theirs(normalised(images)), encoder(images), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(model(normalised(images)), encoder(images), rtol=1e-5, atol=1e-5)


def detectron2_name(name: str) -> str:
    """The rule of MoCo's convert-pretrain-to-detectron2.py, in words: stem, res2 to res5, conv.norm, shortcut."""
    parts = name.split(".")
    parts = [{f"layer{i}": f"res{i + 1}" for i in range(1, 5)}.get(parts[0], f"stem.{parts[0]}"), *parts[1:]]
    joined = ".".join(parts)
    for i in (1, 2, 3):
        joined = joined.replace(f"bn{i}", f"conv{i}.norm")
    return joined.replace("downsample.0", "shortcut").replace("downsample.1", "shortcut.norm")


def test_detectron2s_names(tmp_path: Path) -> None:
    encoder = trained("resnet50")
    save(encoder, tmp_path / "encoder")
    out = tmp_path / "d2.pth"
    assert main(["encoder", "export", str(tmp_path / "encoder"), "--layout", "detectron2", "--out", str(out)]) == 0
    content = torch.load(out)
    assert content["matching_heuristics"] is True and content["__author__"] == "genviews"
    expected = {detectron2_name(name): tensor for name, tensor in encoder.backbone.state_dict().items()}
    assert content["model"].keys() == expected.keys()
    assert all(torch.equal(content["model"][name], tensor) for name, tensor in expected.items())
    assert {
        "stem.conv1.weight",
        "stem.conv1.norm.running_var",
        "res2.0.conv1.weight",
        "res2.0.conv3.norm.bias",
        "res2.0.shortcut.weight",
        "res5.0.shortcut.norm.weight",
        "res5.2.conv2.norm.running_mean",
    } <= content["model"].keys()


def test_what_has_no_such_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"'conv-small' has 0.weight, which torchvision's ResNets lack"):
        export(Encoder("conv-small"), tmp_path / "a.pth")
    with pytest.raises(OptionError, match=r"'resnet18d' has conv1.0.weight, which detectron2's"):
        export(Encoder("resnet18d"), tmp_path / "a.pth", "detectron2")
    with pytest.raises(OptionError, match=r"name a .pth file"):
        export(Encoder("resnet18"), tmp_path / "a.pkl", "detectron2")
    assert not list(tmp_path.iterdir())
    export(Encoder("conv-small"), tmp_path / "a.pth", "timm")
    assert "0.weight" in torch.load(tmp_path / "a.pth")
    with pytest.raises(IsADirectoryError):
        export(Encoder("conv-small"), tmp_path, "timm")
