"""How well a detector finds the objects of images: average precision."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..data.voc import BoxedImages, Target


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's AP in [0, 1]: of all overlaps (IoU 0.5 to 0.95 by 0.05) and of two of them."""

    ap: float
    ap50: float
    ap75: float


@dataclass(frozen=True)
class Detections:
    """The result of `detection`; `dataclasses.asdict` makes it JSON.

    Attributes:
        mean: Over the classes.
        classes: Of each class that the test part has.
        images: How many test images.
        boxes: How many boxes they have, without the difficult ones.
    """

    mean: AveragePrecision
    classes: dict[str, AveragePrecision]
    images: int
    boxes: int


def predict(model: nn.Module, data: BoxedImages, batch_size: int = 8) -> list[Target]:
    """Each image's boxes by a detector, on its device: `boxes`, `labels`, `scores` and no more than 100 a image, on the CPU."""
    device = next(model.parameters()).device
    found: list[Target] = []
    with torch.no_grad():
        for indices in tqdm(torch.arange(len(data)).split(batch_size), "detection", leave=False, disable=None):
            images, _ = data[indices]
            found += model.eval()([image.to(device).float() / 255 for image in images])
    return [{key: value.cpu() for key, value in target.items()} for target in found]


def detection(predictions: list[Target], data: BoxedImages) -> Detections:
    """Average precision as COCO computes it (Lin et al. 2014), by torchmetrics and pycocotools.

    Pascal VOC's AP50 of 2007 is interpolated at 11 points instead of 101 and differs by a point or so. Difficult boxes neither
    need to be found nor count against what is found there, as Pascal VOC has it; there is, as of COCO's crowds, where they cover
    at least the threshold's share of what was found.

    Args:
        predictions: Of each image, by `predict`.
        data: The test part.
    """
    from torchmetrics.detection import MeanAveragePrecision  # takes seconds

    overlaps, recalls = np.linspace(0.5, 0.95, 10).tolist(), np.linspace(0, 1, 101).tolist()  # its own are rounded to float32
    metric = MeanAveragePrecision(iou_thresholds=overlaps, rec_thresholds=recalls, extended_summary=True)
    truth = [{"boxes": t["boxes"], "labels": t["labels"], "iscrowd": t["difficult"].long()} for t in data.targets]
    metric.update(predictions, truth)
    result = metric.compute()
    table = result["precision"][:, :, :, 0, -1].mean(1)  # (overlaps, classes), -1 where there is no true box
    present = (table >= 0).all(0)
    labels = result["classes"].reshape(-1)[present].tolist()
    table = table[:, present].double()

    def summary(ap: Tensor) -> AveragePrecision:
        return AveragePrecision(float(ap.mean()), float(ap[0]), float(ap[5]))

    classes = {data.class_names[label - 1]: summary(table[:, column]) for column, label in enumerate(labels)}
    count = sum(int((~target["difficult"]).sum()) for target in data.targets)
    return Detections(summary(table.mean(1)), classes, len(data), count)
