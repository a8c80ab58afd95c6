from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from reference.voc_folders import write_voc

from genviews import encoders
from genviews.data import BoxedImages, voc
from genviews.encoders import Encoder
from genviews.errors import CheckpointError, OptionError
from genviews.evaluation import detection, predict
from genviews.training import DetectorOptions, detector, load_detector, train_detector
from genviews.training.detection import Detection, mirror

CPU: dict[str, Any] = {"accelerator": "cpu"}
TINY = DetectorOptions(image_size=80, steps=2, batch_size=2, warmup=0, proposals=20, samples=8, roi_size=4)


@pytest.fixture
def boxed(tmp_path: Path) -> BoxedImages:
    images = {name: [("cat", (5, 5, 30, 30), 0), ("dog", (21, 11, 60, 40), 0)] for name in "abcd"}
    return voc(write_voc(tmp_path / "voc", images, {"trainval": "a b c", "test": "d"}))[0]


@pytest.mark.parametrize(("backbone", "stride"), [("conv-small", 8), ("resnet18", 16), ("resnet18-cifar", 4)])
def test_the_detector_computes_the_encoders_features(backbone: str, stride: int) -> None:
    encoder = Encoder(backbone)
    model = detector(encoder, 2, TINY).eval()
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        features = model.backbone(images)
        assert features.shape == (2, model.backbone.out_channels, 64 // stride, 96 // stride)
        if backbone != "conv-small":
            features = model.roi_heads.box_head[0](features)
        torch.testing.assert_close(features.mean((2, 3)), encoder.eval().backbone(images))
    assert torch.equal(torch.tensor(model.transform.image_mean), encoder.mean.flatten())


def changed(backbone: str, freeze: Any, boxed: BoxedImages) -> set[str]:
    """The names of the encoder's weights and statistics that training changed."""
    encoder = Encoder(backbone).eval()
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    options = replace(TINY, freeze=freeze)
    start = dict(detector(encoder, 2, options).state_dict())
    after = train_detector(encoder, boxed, options, **CPU).state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())
    assert not torch.equal(after["rpn.head.conv.0.0.weight"], start["rpn.head.conv.0.0.weight"])
    return {
        name
        for name in start
        if name.startswith(("backbone", "roi_heads.box_head.0")) and not torch.equal(start[name], after[name])
    }


def test_what_is_frozen_stays(boxed: BoxedImages) -> None:
    moved = changed("resnet18", "none", boxed)
    assert {"backbone.0.0.weight", "backbone.0.1.running_mean", "roi_heads.box_head.0.0.conv1.weight"} <= moved
    moved = changed("resnet18", "stem", boxed)
    assert not any(name.startswith("backbone.0.") for name in moved) and "backbone.1.0.bn1.running_mean" in moved
    assert changed("resnet18", "all", boxed) == set()
    assert not any(name.startswith("backbone") for name in changed("conv-small", "all", boxed))


def test_mirroring_moves_what_is_in_a_box_with_it() -> None:
    image, boxes = torch.rand(3, 40, 60), torch.tensor([[5.0, 4, 20, 30], [0, 0, 60, 40]])
    flipped, target = mirror(image, {"boxes": boxes, "labels": torch.tensor([1, 2])})
    for (x0, y0, x1, y1), (u0, v0, u1, v1) in zip(boxes.int().tolist(), target["boxes"].int().tolist(), strict=True):
        assert torch.equal(flipped[:, v0:v1, u0:u1], image[:, y0:y1, x0:x1].flip(-1))
    assert target["labels"].tolist() == [1, 2]


def test_the_schedule_is_the_papers() -> None:
    options = DetectorOptions(steps=96000, lr=0.005, warmup=400)
    schedule = Detection(detector(Encoder(), 1, options), options).configure_optimizers()["lr_scheduler"]["scheduler"]
    (factor,) = schedule.lr_lambdas
    assert [factor(step) for step in (0, 199, 399, 71_999)] == [1 / 400, 0.5, 1, 1]
    assert [factor(step) for step in (72_000, 87_999, 88_000, 95_999)] == pytest.approx([0.1, 0.1, 0.01, 0.01])


def test_training_sizes_and_anchors_follow_the_image_size() -> None:
    papers = detector(Encoder(), 1, DetectorOptions(image_size=800, smallest_size=480, max_size=1024))
    assert papers.transform.min_size == (480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800)
    assert papers.transform.max_size == 1024
    assert papers.rpn.anchor_generator.sizes == ((32, 64, 128, 256, 512),)
    small = detector(Encoder(), 1, TINY)
    assert (small.transform.min_size, small.transform.max_size) == ((80,), 320)
    assert small.rpn.anchor_generator.sizes == ((3, 6, 13, 26, 51),)


def test_a_run_is_written_read_and_resumed_to_the_same(boxed: BoxedImages, tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder, options = Encoder("conv-small", width=4), replace(TINY, steps=6, image_size=112, smallest_size=80)
    whole = train_detector(encoder, boxed, options, tmp_path / "whole", checkpoint_every=4, **CPU)
    read = load_detector(tmp_path / "whole")
    assert all(torch.equal(tensor, whole.state_dict()[name]) for name, tensor in read.state_dict().items())
    assert read.transform.min_size == (80, 112) and not read.training and not whole.training
    (tmp_path / "whole" / "model.json").unlink()  # as if killed after the checkpoint of step 4
    resumed = train_detector(encoder, boxed, options, tmp_path / "whole", resume=True, **CPU)
    assert all(torch.equal(tensor, whole.state_dict()[name]) for name, tensor in resumed.state_dict().items())
    other = train_detector(encoder, boxed, replace(options, seed=1), **CPU)
    assert not torch.equal(other.state_dict()["backbone.0.0.weight"], whole.state_dict()["backbone.0.0.weight"])
    finished = train_detector(encoder, boxed, replace(options, steps=999), tmp_path / "whole", resume=True)
    assert torch.equal(finished.state_dict()["backbone.0.0.weight"], whole.state_dict()["backbone.0.0.weight"])


def test_a_grey_encoder_sees_the_grey_image() -> None:
    torch.manual_seed(0)
    model, image = detector(Encoder(in_channels=1), 2, TINY).eval(), torch.rand(3, 96, 96)
    grey = (image * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(0).expand(3, -1, -1)
    first, second = (model.backbone(model.transform([seen])[0].tensors) for seen in (image, grey))
    assert first.shape[1] == 128
    torch.testing.assert_close(first, second, rtol=1e-2, atol=1e-3)


def test_what_makes_no_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'vit_tiny_patch16_224' cannot be made a detector"):
        detector(Encoder("vit_tiny_patch16_224", depth=1), 2, TINY)
    with pytest.raises(OptionError, match="takes 2 channels"):
        detector(Encoder(in_channels=2), 2, TINY)
    with pytest.raises(OptionError, match="smallest_size is 96; it must not be above the image_size of 80"):
        replace(TINY, smallest_size=96)
    with pytest.raises(OptionError, match="a short side of 64 pixels is too small; take 80 or more"):
        replace(TINY, image_size=96, smallest_size=64)
    with pytest.raises(OptionError, match="lr is 0"):
        replace(TINY, lr=0)
    with pytest.raises(OptionError, match=r"warmup is 0 and weight_decay -0\.1; neither may be negative"):
        replace(TINY, weight_decay=-0.1)
    with pytest.raises(OptionError, match="freeze is 'half'; choose none, stem or all"):
        replace(TINY, freeze="half")
    encoders.save(Encoder(), tmp_path)
    with pytest.raises(CheckpointError, match="holds no detector"):
        load_detector(tmp_path)


def painted(folder: Path) -> tuple[BoxedImages, BoxedImages]:
    """Noise with a red cat and a blue dog at places of their own: eight images to learn, four to find them in."""
    places = np.random.default_rng(0).integers(1, 20, (12, 4)).tolist()
    images = {
        f"{i:02}": [("cat", (x, y, x + 14, y + 18), 0), ("dog", (u + 22, v, u + 40, v + 14), 0)]
        for i, (x, y, u, v) in enumerate(places)
    }
    names = list(images)
    write_voc(folder, images, {"trainval": " ".join(names[:8]), "test": " ".join(names[8:])})
    for name, boxes in images.items():
        path = folder / "JPEGImages" / f"{name}.png"
        pixels = np.array(Image.open(path))
        for kind, (x0, y0, x1, y1), _ in boxes:
            pixels[y0 - 1 : y1, x0 - 1 : x1] = (255, 0, 0) if kind == "cat" else (0, 0, 255)
        Image.fromarray(pixels).save(path)
    return voc(folder)


def test_it_finds_in_other_images_what_it_learned(tmp_path: Path) -> None:
    train, test = painted(tmp_path)
    torch.manual_seed(0)
    options = DetectorOptions(image_size=80, roi_size=4, proposals=50, samples=64, steps=100, batch_size=2, warmup=10)
    model = train_detector(Encoder(width=16), train, options, **CPU)
    assert detection(predict(model, test), test).mean.ap50 > 0.7


@pytest.mark.timeout(900)
def test_eight_real_images_are_learned_by_heart(shared: Path, tmp_path: Path) -> None:
    with pytest.warns(match="no area"):
        train, _ = voc(shared / "data" / "bccd_voc.zip", tmp_path)
    eight = BoxedImages(train.paths[:8], train.targets[:8], train.class_names)
    torch.manual_seed(0)
    options = DetectorOptions(image_size=160, roi_size=4, proposals=150, steps=500, batch_size=2, warmup=20)
    model = train_detector(Encoder(), eight, options, **CPU)
    assert detection(predict(model, eight), eight).mean.ap50 > 0.9
