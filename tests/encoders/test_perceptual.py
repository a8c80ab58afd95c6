"""Perceptual features: torchvision's VGG16 at Caffe's scale, or an encoder's representation; nothing is downloaded."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from genviews.encoders import Encoder, perceptual, save
from genviews.errors import CheckpointError, ShapeError


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file such as torchvision's, with random weights and without its large classifier."""
    from torchvision.models import VGG
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "vgg.pth"
    weights = VGG(make_layers(cfgs["D"]), init_weights=False).features.state_dict()
    torch.save({f"features.{name}": tensor for name, tensor in weights.items()} | {"classifier.6.bias": torch.zeros(1000)}, path)
    return path


def test_vgg16_is_torchvision_s_as_far_as_relu4_3(vgg: Path) -> None:
    from torchvision.models.vgg import cfgs, make_layers
    from torchvision.transforms.v2.functional import normalize

    found, layers = perceptual(vgg), make_layers(cfgs["D"])
    assert found.name == "VGG16 relu4_3 (vgg.pth)" and found.weight == 5e-5
    layers.load_state_dict({k.removeprefix("features."): v for k, v in torch.load(vgg).items() if k.startswith("features.")})
    first, second = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(0)).unbind()
    expected = [layers[:23](normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])) for x in (first, second)]
    assert expected[0].shape == (2, 512, 2, 2)
    distance = (found(first) - found(second)).square().sum(1)
    torch.testing.assert_close(
        distance, (255 * 0.226) ** 2 * (expected[0] - expected[1]).square().mean((1, 2, 3)), rtol=1e-3, atol=0
    )
    torch.testing.assert_close(found(first[:, :1]), found(first[:, :1].expand(-1, 3, -1, -1)))


def test_features_have_a_gradient_to_the_images_alone(vgg: Path, tmp_path: Path) -> None:
    save(Encoder("conv-small", 1, width=4), tmp_path)
    for found in (perceptual(vgg), perceptual(tmp_path)):
        images = torch.rand(2, 1, 16, 16).requires_grad_()
        found(images).sum().backward()
        assert images.grad is not None and images.grad.abs().sum() > 0
        assert not found.training and not any(parameter.requires_grad for parameter in found.parameters())


def test_an_encoder_s_representation_has_unit_length(tmp_path: Path) -> None:
    encoder = Encoder("conv-small", 1, width=4).eval()
    save(encoder, tmp_path)
    found, images = perceptual(tmp_path), torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(found(images), F.normalize(encoder(images), dim=1))
    assert found.name == f"representation of conv-small encoder {tmp_path}" and found.weight == 0.1


def test_a_released_classifier_is_one_too(shared: Path) -> None:
    found = perceptual(shared / "checkpoints" / "csinva_mnist_lenet.pt")
    assert found.name == "representation of LeNet csinva_mnist_lenet.pt" and found(torch.rand(2, 1, 28, 28)).shape == (2, 84)


def test_what_is_no_perceptual_feature(vgg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(CheckpointError, match=r"vgg16-397923af.pth is missing; put torchvision's VGG16 there"):
        perceptual("vgg16")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "vgg16-397923af.pth").write_bytes(vgg.read_bytes())
    assert perceptual("vgg16").name == "VGG16 relu4_3 (vgg16-397923af.pth)"
    with pytest.raises(CheckpointError, match="nope is missing"):
        perceptual("nope")
    broken = torch.load(vgg)
    del broken["features.0.bias"]
    torch.save(broken, tmp_path / "broken.pth")
    with pytest.raises(CheckpointError, match=r"broken.pth lacks 'features.0.bias'"):
        perceptual(tmp_path / "broken.pth")
    with pytest.raises(ShapeError, match=r"got \(2, 3, 4, 4\); choose an encoder"):
        perceptual(vgg)(torch.rand(2, 3, 4, 4))
