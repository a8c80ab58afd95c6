from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch_fidelity import FeatureExtractorInceptionV3
from torchvision.models import inception_v3

from genviews import data, encoders
from genviews.data import extract
from genviews.encoders import Encoder, classifier, features, save_classifier
from genviews.errors import CheckpointError, ShapeError, UnsafeFileError


def test_lenet_reaches_its_accuracy_on_mnist(shared: Path) -> None:
    lenet = features(shared / "checkpoints" / "csinva_mnist_lenet.pt")
    assert lenet.name == "LeNet csinva_mnist_lenet.pt"
    digits = data.load(shared / "data" / "mnist.npz").test.subset(torch.arange(2000))
    found, labels = extract(lenet, digits, progress=False)
    assert found.shape == (2000, 84) and not found.requires_grad
    assert (lenet.head(found).argmax(1) == labels).float().mean() > 0.975
    larger, _ = extract(lenet, digits.resized(56), progress=False)
    assert (lenet.head(larger).argmax(1) == labels).float().mean() > 0.97
    with pytest.raises(ShapeError, match="LeNet takes grey images"):
        lenet(torch.zeros(1, 3, 32, 32))


def test_inception_is_torch_fidelitys(tmp_path: Path) -> None:
    """With random weights, since the published ones are a download; torchvision's model has the same names."""
    torch.manual_seed(0)
    weights = inception_v3(num_classes=1008, aux_logits=False, init_weights=False).state_dict()
    path = tmp_path / "inception.pth"
    torch.save(weights, path)
    original = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=path)
    colour, grey = 1.4 * torch.rand(1, 3, 32, 40) - 0.2, torch.rand(1, 1, 32, 40)
    inception = features(path)
    found = torch.cat([inception(colour), inception(grey)])
    images = torch.cat([colour.clamp(0, 1), grey.expand(-1, 3, -1, -1)])
    expected, logits = original((images * 255).round().to(torch.uint8))
    assert found.shape == (2, 2048) and inception.name == "InceptionV3"
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(inception.head(found), logits)
    with pytest.raises(ShapeError, match="Inception takes grey or RGB"):
        inception(torch.zeros(1, 2, 32, 32))


def test_an_encoders_folder_gives_its_features_and_a_classifiers_its_logits_too(tmp_path: Path) -> None:
    images = torch.rand(4, 1, 20, 20)
    encoder = Encoder(in_channels=1, width=4).eval()
    encoders.save(encoder, tmp_path / "encoder")
    found = features(tmp_path / "encoder")
    assert found.head is None and found.name == f"conv-small encoder {tmp_path / 'encoder'}"
    assert found(images).equal(encoder(images))

    saved = classifier({"backbone": "conv-small", "in_channels": 1, "width": 4}, 7, "a classifier").eval()
    save_classifier(saved, tmp_path / "classifier")
    found = features(tmp_path / "classifier")
    assert found.name == "a classifier" and not found.training and not any(p.requires_grad for p in found.parameters())
    assert found.head(found(images)).equal(F.linear(saved(images), saved.head.weight, saved.head.bias))
    assert found.head(found(images)).shape == (4, 7)


def test_files_without_features_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    for content, message in (
        ({"weight": torch.zeros(3)}, "holds no features; give FID's InceptionV3"),
        ([1, 2], "holds no features"),
        ({"convnet.c1.weight": torch.zeros(3)}, "does not fit what it says it is"),
        ({"Conv2d_1a_3x3.conv.weight": torch.zeros(3)}, "does not fit what it says it is"),
    ):
        torch.save(content, path)
        with pytest.raises(CheckpointError, match=message):
            features(path)
    with pytest.raises(CheckpointError, match="missing"):
        features(tmp_path / "none.pt")
    save_classifier(classifier({"in_channels": 1}, 7), tmp_path)
    description = (tmp_path / "model.json").read_text()
    (tmp_path / "model.json").write_text(description.replace('"classes": 7', '"classes": 8'))
    with pytest.raises(CheckpointError, match="size mismatch"):
        features(tmp_path)
    (tmp_path / "model.json").write_text(description.replace('"classes"', '"classs"'))
    with pytest.raises(CheckpointError, match="lacks 'classes'"):
        features(tmp_path)


class Executes:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


def test_a_file_that_would_run_code_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"Conv2d_1a_3x3.conv.weight": Executes()}, "inception.pth")
    with pytest.raises(UnsafeFileError, match="would call"):
        features("inception.pth")
    assert not Path("executed").exists()
