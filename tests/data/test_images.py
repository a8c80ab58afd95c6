from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tv
from PIL import Image

from genviews.data import ArrayImages, FileImages
from genviews.data.images import find_unreadable, read_image
from genviews.errors import DataError

PIXELS = torch.randint(256, (6, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def test_arrays_are_read_by_index() -> None:
    data = ArrayImages(PIXELS, torch.arange(6), tuple("abcdef"))
    images, labels = data[torch.tensor([4, 0])]
    assert images.equal(PIXELS[[4, 0]]) and labels.tolist() == [4, 0]
    assert len(data) == 6 and data.image_shape == (3, 8, 8)
    part = data.subset(torch.tensor([5, 2]))
    assert part.images.equal(PIXELS[[5, 2]]) and part.labels.tolist() == [5, 2] and part.class_names == data.class_names


def test_arrays_are_resized() -> None:
    data = ArrayImages(PIXELS, torch.arange(6), tuple("abcdef"))
    assert data.resized(8) is data
    small = data.resized(2)
    assert small.images.dtype == torch.uint8 and small.image_shape == (3, 2, 2) and small.labels is data.labels
    exact = torch.nn.functional.interpolate(PIXELS.double(), (2, 2), mode="bilinear", antialias=True)
    assert (small.images - exact).abs().max() <= 1  # of 255
    assert data.resized(24).image_shape == (3, 24, 24)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (PIXELS.float(), torch.arange(6), r"images are torch.float32 \(6, 3, 8, 8\); they must be uint8 \(N, C, H, W\)"),
        (PIXELS[:, 0], torch.arange(6), r"images are torch.uint8 \(6, 8, 8\)"),
        (PIXELS, torch.arange(5), r"6 images have labels of shape \(5,\); there must be one each"),
        (PIXELS, torch.zeros(6, 10), r"labels of shape \(6, 10\)"),
    ],
)
def test_arrays_of_other_shapes_are_refused(images: torch.Tensor, labels: torch.Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ArrayImages(images, labels, ())


def test_files_are_decoded_in_the_order_asked_for(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for path, pixels in zip(paths, PIXELS, strict=True):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    data = FileImages(paths, torch.arange(6), tuple("abcdef"), (3, 8, 8))
    images, labels = data[torch.tensor([3, 1, 3])]
    assert len(data) == 6 and images.equal(PIXELS[[3, 1, 3]]) and labels.tolist() == [3, 1, 3]


@pytest.mark.parametrize("shape", [(32, 48), (48, 32), (20, 20), (4, 6)])
def test_the_short_side_is_resized_and_the_centre_cropped_as_torchvision_does(shape: tuple[int, int], tmp_path: Path) -> None:
    source = Image.fromarray(np.random.default_rng(0).integers(256, size=(*shape, 3), dtype=np.uint8))
    source.save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", (3, 8, 8))
    assert image.dtype == torch.uint8
    expected = tv.pil_to_tensor(tv.center_crop(tv.resize(source, [8]), [8, 8]))
    assert (image.int() - expected).abs().max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "CMYK", "LA", "I;16"])
def test_every_kind_of_pixel_is_read_as_grey_and_as_rgb(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    source = Image.fromarray(RAMP.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(RAMP).convert(mode)
    source.save(path)
    grey, rgb = read_image(path, (1, 16, 16)), read_image(path, (3, 16, 16))
    assert grey.shape == (1, 16, 16) and rgb.shape == (3, 16, 16)
    expected = Image.fromarray(RAMP).convert("1" if mode == "1" else "L")
    assert np.abs(grey[0].numpy() - np.asarray(expected, float) * (255 if mode == "1" else 1)).max() <= 1
    assert (rgb - grey.int()).abs().max() <= 1


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.ppm", "a.tif"])
def test_truncated_files_are_found_and_named(name: str, tmp_path: Path) -> None:
    good, bad = tmp_path / name, tmp_path / f"bad-{name}"
    Image.fromarray(PIXELS[0].permute(1, 2, 0).numpy()).resize((64, 64)).save(good)
    for kept in (0, 2, 40, good.stat().st_size // 2):
        bad.write_bytes(good.read_bytes()[:kept])
        assert find_unreadable([good, bad, good]) == [bad]
        with pytest.raises(DataError, match=f"bad-{name} cannot be read as an image .*; restore or remove it"):
            read_image(bad, (3, 64, 64))


def test_an_image_too_large_to_be_one_is_unreadable(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "a.bmp")
    data = bytearray((tmp_path / "a.bmp").read_bytes())
    data[18:26] = (100_000).to_bytes(4, "little") * 2
    (tmp_path / "a.bmp").write_bytes(data)
    assert find_unreadable([tmp_path / "a.bmp"]) == [tmp_path / "a.bmp"]
