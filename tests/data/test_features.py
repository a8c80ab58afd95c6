import pytest
import torch
from torch import Tensor, nn

from genviews.data import ArrayImages, extract
from genviews.errors import DataError, NonFiniteError, ShapeError

PIXELS = torch.randint(256, (10, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(10) % 3
DATA = ArrayImages(PIXELS, LABELS, ("a", "b", "c"))


class ByModule(nn.Module):
    """An encoder made of a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> Tensor:
        return self.function(images)


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
def test_features_are_those_of_the_images_in_order(batch_size: int) -> None:
    features, labels = extract(nn.Flatten(), DATA, batch_size=batch_size, progress=False)
    assert features.dtype == torch.float32
    assert features.equal(PIXELS.flatten(1) / 255)
    assert labels.equal(LABELS)


def test_the_encoder_is_in_eval_mode_without_gradients_and_keeps_its_flags_and_statistics() -> None:
    frozen = nn.BatchNorm2d(3).eval()
    encoder = nn.Sequential(frozen, nn.BatchNorm2d(3), nn.Dropout(0.9), nn.Flatten()).train()
    frozen.training = False
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    features, _ = extract(encoder, DATA, progress=False)
    assert not features.requires_grad
    torch.testing.assert_close(features, PIXELS.flatten(1) / 255, rtol=1e-4, atol=1e-6)  # identity: fresh statistics, no dropout
    assert [module.training for module in encoder] == [False, True, True, True]
    assert all(tensor.equal(before[name]) for name, tensor in encoder.state_dict().items())


def test_the_flags_come_back_after_an_error() -> None:
    encoder = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Flatten()).train()
    with pytest.raises(RuntimeError, match="channels"):
        extract(encoder, DATA, progress=False)
    assert all(module.training for module in encoder.modules())


def test_the_first_sample_that_is_not_finite_is_named() -> None:
    def encode(images: Tensor) -> Tensor:
        features = images.flatten(1).clone()
        for bad in (7, 8):
            features[(images == PIXELS[bad] / 255).flatten(1).all(1), 2] = torch.nan
        return features

    with pytest.raises(NonFiniteError, match="sample 7 "):
        extract(ByModule(encode), DATA, batch_size=4, progress=False)


@pytest.mark.parametrize("encode", [lambda x: x, lambda x: x.flatten(), lambda x: x[:1].flatten(1)])
def test_anything_but_a_row_for_each_image_is_refused(encode) -> None:
    with pytest.raises(ShapeError, match=r"for 10 images; it must return \(B, D\)"):
        extract(ByModule(encode), DATA, progress=False)


def test_no_images_are_refused() -> None:
    with pytest.raises(DataError, match="no images"):
        extract(nn.Flatten(), DATA.subset(torch.arange(0)), progress=False)
