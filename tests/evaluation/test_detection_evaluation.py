from pathlib import Path

import numpy as np
import pytest
import torch
from reference.average_precision import average_precision
from reference.voc_folders import write_voc
from torch import Tensor

from genviews.data import BoxedImages, voc
from genviews.encoders import Encoder
from genviews.evaluation import detection, predict
from genviews.training import DetectorOptions, detector


def scene(rng: torch.Generator, classes: int = 3, images: int = 12) -> tuple[BoxedImages, list[dict[str, Tensor]]]:
    """True boxes, some difficult, and found ones: true ones that were moved, and chance ones."""
    targets, predictions = [], []
    for _ in range(images):
        n = int(torch.randint(1, 7, (), generator=rng))
        corner, sides = 60 * torch.rand(n, 2, generator=rng), 20 + 20 * torch.rand(n, 2, generator=rng)
        boxes = torch.cat([corner, corner + sides], 1)
        labels = torch.randint(1, classes + 1, (n,), generator=rng)
        targets.append({"boxes": boxes, "labels": labels, "difficult": torch.rand(n, generator=rng) < 0.2})
        moved = boxes + 4 * torch.randn(n, 4, generator=rng).clamp(-1.5, 1.5)
        chance = torch.cat([corner.flip(0), corner.flip(0) + 20], 1)
        found = torch.cat([moved, boxes[:1], chance])
        predictions.append(
            {
                "boxes": found,
                "labels": torch.cat([labels, labels[:1], labels.flip(0)]),
                "scores": torch.rand(len(found), generator=rng),
            }
        )
    names = tuple("abcdefgh"[:classes])
    return BoxedImages([Path(f"{i}.png") for i in range(images)], targets, names), predictions


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_that_of_plain_loops(seed: int) -> None:
    data, predictions = scene(torch.Generator().manual_seed(seed))
    result = detection(predictions, data)
    assert result.classes.keys() == {"a", "b", "c"}
    for label, name in enumerate("abc", start=1):
        found = [
            [(float(s), tuple(b.tolist())) for s, b, c in zip(p["scores"], p["boxes"], p["labels"], strict=True) if c == label]
            for p in predictions
        ]
        truth = [
            [(tuple(b.tolist()), bool(d)) for b, d, c in zip(t["boxes"], t["difficult"], t["labels"], strict=True) if c == label]
            for t in data.targets
        ]
        expected = [average_precision(found, truth, threshold) for threshold in np.linspace(0.5, 0.95, 10)]
        scores = result.classes[name]
        assert (scores.ap50, scores.ap75) == pytest.approx((expected[0], expected[5]), abs=1e-6)
        assert scores.ap == pytest.approx(np.mean(expected), abs=1e-6)
        assert 0 < scores.ap < scores.ap50 < 1
    assert result.mean.ap75 == pytest.approx(np.mean([scores.ap75 for scores in result.classes.values()]))
    assert (result.images, result.boxes) == (12, sum(int((~t["difficult"]).sum()) for t in data.targets))


def test_the_truth_scores_one_and_nothing_scores_nought() -> None:
    data, _ = scene(torch.Generator().manual_seed(0))
    told = [{"boxes": t["boxes"], "labels": t["labels"], "scores": torch.ones(len(t["labels"]))} for t in data.targets]
    assert detection(told, data).mean.ap == pytest.approx(1)
    silent = [{name: tensor[:0] for name, tensor in target.items()} for target in told]
    assert detection(silent, data).mean.ap50 == 0


def test_a_class_without_true_boxes_has_no_part_in_the_mean() -> None:
    data, predictions = scene(torch.Generator().manual_seed(0))
    more = BoxedImages(data.paths, data.targets, (*data.class_names, "d"))
    predictions[0]["labels"] = torch.full_like(predictions[0]["labels"], 4)
    expected = [{**p} for p in predictions]
    expected[0] = {name: tensor[:0] for name, tensor in predictions[0].items()}
    assert detection(predictions, more).classes.keys() == {"a", "b", "c"}
    assert detection(predictions, more).mean.ap == pytest.approx(detection(expected, data).mean.ap)


def test_predictions_are_in_the_images_own_pixels_whatever_the_batch(tmp_path: Path) -> None:
    images = {name: [("cat", (5, 5, 30, 30), 0)] for name in "abcd"}
    data, _ = voc(write_voc(tmp_path, images, {"trainval": "a b c", "test": "d"}))
    torch.manual_seed(0)
    model = detector(Encoder(), 2, DetectorOptions(image_size=80, proposals=20))
    model.roi_heads.score_thresh = 0.0
    one, three = predict(model, data, 1), predict(model, data, 3)
    assert not model.training and len(one) == 3
    for alone, together in zip(one, three, strict=True):
        assert len(alone["boxes"]) and alone["boxes"].amax() > 1 and (alone["boxes"] <= torch.tensor([60, 40, 60, 40])).all()
        torch.testing.assert_close(alone["boxes"], together["boxes"], rtol=1e-3, atol=1e-3)
