"""A pretrained encoder comes back with the projector its loss saw."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from genviews import data
from genviews.encoders import Encoder, embedder, save, save_projector
from genviews.errors import CheckpointError
from genviews.training import METHODS, PretrainOptions, pretrain
from genviews.training.pretraining import create
from genviews.views import RealViews

DIGITS = RealViews(data.load("digits").train)


@pytest.mark.parametrize("method", METHODS)
def test_every_methods_projector_comes_back(method: str, tmp_path: Path) -> None:
    module = create(DIGITS, PretrainOptions(method=method, projector_dim=12)).eval()
    for tensor in (*module.projector.parameters(), *module.projector.buffers()):
        if tensor.is_floating_point():
            tensor.data += 0.1
    save(module.encoder, tmp_path)
    save_projector(module.projector, tmp_path)
    images = torch.rand(4, 1, 16, 16)
    with torch.no_grad():
        expected = F.normalize(module.projector(module.encoder(images)), dim=1)
    assert embedder(tmp_path)(images).equal(expected)


def test_pretraining_keeps_it(tmp_path: Path) -> None:
    encoder = pretrain(DIGITS, PretrainOptions(steps=1, batch_size=16, projector_dim=12), tmp_path)
    found = embedder(tmp_path)
    images = torch.rand(4, 1, 16, 16)
    assert found(images).shape == (4, 12) and found.encoder(images).equal(encoder(images))
    assert not any(parameter.requires_grad for parameter in found.parameters())


def test_without_one_the_representation_is_the_embedding(tmp_path: Path) -> None:
    encoder = Encoder("conv-small", 1, 16).eval()
    save(encoder, tmp_path)
    images = torch.rand(4, 1, 16, 16)
    assert torch.allclose(embedder(tmp_path)(images), F.normalize(encoder(images), dim=1))


def test_a_file_with_another_layer_is_refused(tmp_path: Path) -> None:
    save(Encoder("conv-small", 1, 16), tmp_path)
    save_projector(nn.Sequential(nn.Linear(128, 4)), tmp_path)
    description = tmp_path / "projector" / "model.json"
    description.write_text(description.read_text().replace('"Linear"', '"Bilinear"'))
    with pytest.raises(CheckpointError, match="lacks 'Bilinear'"):
        embedder(tmp_path)
