"""Published weights are taken from Hugging Face's cache, and from nowhere else."""

from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file

from genviews.encoders import published
from genviews.errors import OptionError

NAME = "test_resnet.r160_in1k"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    look = huggingface_hub.try_to_load_from_cache
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repo, file: look(repo, file, cache_dir=tmp_path))
    return tmp_path


def test_without_a_cache_weights_are_random_and_the_same(cache: Path) -> None:
    (first, found), (second, _) = published(NAME), published(NAME)
    assert not found and not first.training and first.image_size == 160
    assert all(tensor.equal(second.state_dict()[name]) for name, tensor in first.state_dict().items())
    assert published("conv-small")[0].image_size is None


def test_the_weights_of_the_cache_are_taken_with_their_normalisation(cache: Path) -> None:
    torch.manual_seed(1)
    model = timm.create_model(NAME, num_classes=1000).eval()
    config = timm.get_pretrained_cfg(NAME)
    repository = cache / f"models--{config.hf_hub_id.replace('/', '--')}"
    (repository / "snapshots" / "abc").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    save_file(model.state_dict(), repository / "snapshots" / "abc" / "model.safetensors")
    encoder, found = published(NAME)
    assert found
    images = torch.rand(2, 3, 160, 160)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (config.mean, config.std))
    expected = model.forward_head(model.forward_features((images - mean) / std), pre_logits=True)
    torch.testing.assert_close(encoder(images), expected)
    assert published(NAME, in_channels=1)[0](images[:, :1]).shape == expected.shape


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(OptionError, match="backbone 'resnet8' is neither"):
        published("resnet8")
    with pytest.raises(OptionError, match=r"backbone 'resnet18\.nobody': "):
        published("resnet18.nobody")
