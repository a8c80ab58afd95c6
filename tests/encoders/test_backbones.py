import pytest
import torch
from torch import nn

from genviews.encoders import Encoder, projector
from genviews.encoders.backbones import conv_small
from genviews.errors import OptionError, ShapeError


def images(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("backbone", "options", "num_features"),
    [
        ("conv-small", {}, 128),
        ("conv-small", {"width": 8}, 32),
        ("resnet18-cifar", {}, 512),
        ("resnet18", {}, 512),
        ("mobilenetv3_small_050", {}, 1024),  # whose last convolution has 288 channels
        ("vit_tiny_patch16_224", {"img_size": 32, "depth": 1}, 192),
        ("disco", {"image_size": 32, "width": 4}, 64),
        ("disco", {"image_size": 32, "width": 4, "outputs": 7}, 7),
        ("conv-small", {"outputs": 7}, 7),
        ("resnet18", {"outputs": 7}, 7),
        ("vit_tiny_patch16_224", {"img_size": 32, "depth": 1, "outputs": 7}, 7),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_representations_have_num_features(backbone: str, options: dict, num_features: int, channels: int) -> None:
    encoder = Encoder(backbone, channels, **options)
    assert encoder.training
    features = encoder.eval()(images(2, channels, 32, 32))
    assert features.shape == (2, num_features) and encoder.num_features == num_features
    assert features.isfinite().all() and not features[0].equal(features[1])


def test_conv_small_halves_the_sides_thrice() -> None:
    backbone = conv_small(2, width=5)
    sizes = []
    for layer in backbone:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:])))
    backbone(images(2, 2, 32, 32))
    assert sizes == [(5, 16, 16), (10, 8, 8), (20, 4, 4)]


def test_discos_encoder_is_that_of_table_7() -> None:
    """Of raw images of 64 px, for which the authors' state dict has these indices after its prefix."""
    encoder = Encoder("disco", 3, outputs=32)
    shapes = {name: tuple(tensor.shape) for name, tensor in encoder.backbone.state_dict().items() if name.endswith("weight")}
    convolutions = {0: (64, 3, 7, 7), 2: (128, 64, 4, 4), 4: (256, 128, 4, 4), 6: (256, 256, 4, 4), 8: (256, 256, 4, 4)}
    matrices = {11: (256, 4096), 13: (256, 256), 15: (32, 256)}
    assert shapes == {f"{index}.weight": shape for index, shape in (convolutions | matrices).items()}
    x = raw = images(2, 3, 64, 64)
    for index in convolutions:
        layer = encoder.backbone[index]
        stride, padding = (2, 1) if index else (1, 3)
        x = nn.functional.leaky_relu(nn.functional.conv2d(x, layer.weight, layer.bias, stride, padding), 0.01)
    x = x.reshape(2, 4096)
    for index in matrices:
        layer = encoder.backbone[index]
        x = x @ layer.weight.T + layer.bias
        x = x if index == 15 else nn.functional.leaky_relu(x, 0.01)
    torch.testing.assert_close(encoder(raw), x, rtol=1e-4, atol=1e-4)
    with pytest.raises(OptionError, match="square, of 8, 16, 32"):
        Encoder("disco", 3, 48)


def test_the_cifar_form_keeps_the_resolution() -> None:
    def before_the_last_pooling(name: str) -> tuple[int, ...]:
        return Encoder(name).eval().backbone.forward_features(images(1, 3, 32, 32)).shape

    assert before_the_last_pooling("resnet18") == (1, 512, 1, 1)
    assert before_the_last_pooling("resnet18-cifar") == (1, 512, 4, 4)
    stem = Encoder("resnet18-cifar", 2).backbone.conv1
    assert (stem.in_channels, stem.kernel_size, stem.stride, stem.bias) == (2, (3, 3), (1, 1), None)


@pytest.mark.parametrize(
    ("channels", "mean", "std"),
    [(1, [0.449], [0.226]), (2, [0.5] * 2, [0.25] * 2), (3, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])],
)
def test_images_are_normalised_first(channels: int, mean: list[float], std: list[float]) -> None:
    encoder, batch = Encoder(in_channels=channels).eval(), images(2, channels, 16, 16)
    normalised = torch.stack([(batch[:, c] - mean[c]) / std[c] for c in range(channels)], dim=1)
    torch.testing.assert_close(encoder(batch), encoder.backbone(normalised))


def test_images_of_another_size_are_resized() -> None:
    encoder = Encoder(in_channels=1, image_size=16).eval()
    batch = images(2, 1, 48, 40)
    smaller = nn.functional.interpolate(batch, (16, 16), mode="bilinear", antialias=True)
    assert encoder(batch).equal(encoder(smaller))
    as_it_comes = Encoder(in_channels=1).eval()
    as_it_comes.load_state_dict(encoder.state_dict())
    assert as_it_comes(smaller).equal(encoder(smaller)) and not as_it_comes(batch).allclose(encoder(batch))


@pytest.mark.parametrize("backbone", ["vit_tiny_patch16_224", "mixer_s32_224", "resnet18"])
def test_models_of_one_size_are_built_for_the_images(backbone: str) -> None:
    encoder = Encoder(backbone, image_size=32).eval()
    assert encoder(images(2, 3, 48, 48)).shape == (2, encoder.num_features)
    assert encoder.config.get("img_size") == (None if backbone == "resnet18" else 32)


def test_grey_images_fit_every_encoder() -> None:
    encoder, grey = Encoder().eval(), images(2, 1, 16, 16)
    assert encoder(grey).equal(encoder(grey.expand(-1, 3, -1, -1)))


def test_grey_and_colour_meet_in_grey() -> None:
    colour, grey = images(2, 3, 16, 16), images(2, 1, 16, 16)
    luminance = (colour * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
    encoder = Encoder(in_channels=1).eval()
    torch.testing.assert_close(encoder(colour), encoder(luminance), rtol=1e-3, atol=1e-3)
    encoder = Encoder(in_channels=3).eval()
    torch.testing.assert_close(encoder(grey), encoder(grey.expand(-1, 3, -1, -1)))


@pytest.mark.parametrize(("channels", "shape"), [(1, (2, 2, 8, 8)), (3, (2, 4, 8, 8)), (3, (3, 8, 8)), (1, (8, 8))])
def test_images_of_other_channels_are_refused(channels: int, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=rf"takes images \(B, {channels}, H, W\), got .*; convert them"):
        Encoder(in_channels=channels)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnt18", "'resnt18' is neither conv-small, disco nor a timm model; did you mean: resnet18, "),
        ("resnet18.imagenet22k", "neither conv-small, disco nor a timm model"),
        ("org/model", "neither conv-small, disco nor a timm model"),
        ("conv-big-cifar", "neither conv-small, disco nor a timm model"),
        ("vit_tiny_patch16_224-cifar", "only timm's ResNets have a -cifar form"),
        ("resnet18d-cifar", "only timm's ResNets have a -cifar form"),
    ],
)
def test_an_unknown_backbone_is_refused_in_one_line(name: str, message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        Encoder(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("outputs", [0, -2])
def test_an_encoder_has_outputs(outputs: int) -> None:
    with pytest.raises(OptionError, match=f"outputs is {outputs}; it must be positive"):
        Encoder(outputs=outputs)


def test_projector() -> None:
    def widths(head: nn.Sequential) -> list[int | str]:
        return [layer.out_features if isinstance(layer, nn.Linear) else type(layer).__name__ for layer in head]

    assert widths(projector(32)) == [32, "ReLU", 128]
    assert widths(projector(32, hidden=64, out_features=8, layers=3)) == [64, "ReLU", 64, "ReLU", 8]
    assert widths(projector(32, layers=1)) == [128]
    normed = projector(32, hidden=64, layers=3, norm=True)
    assert widths(normed) == [64, "BatchNorm1d", "ReLU", 64, "BatchNorm1d", "ReLU", 128]
    assert [layer.bias is not None for layer in normed if isinstance(layer, nn.Linear)] == [False, False, True]
    head, x = projector(4, out_features=2), images(3, 4)
    hidden = (x @ head[0].weight.T + head[0].bias).clamp(min=0)
    torch.testing.assert_close(head(x), hidden @ head[2].weight.T + head[2].bias)
