"""Fine-tuning of an encoder as a detector: Faster R-CNN (Ren et al. 2015) by torchvision, with a ResNet in the C4 form."""

from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign
from torchvision.transforms.v2 import Grayscale

from ..checkpoints import building, read_model, write_model
from ..data.voc import BoxedImages, Target
from ..encoders import Encoder
from ..errors import CheckpointError, OptionError, require_positive
from ..randomness import uniform
from .fit import Learner, fit

ANCHORS = (0.04, 0.08, 0.16, 0.32, 0.64)
"""Sides of the anchors as fractions of the images' short side: 32 to 512 of 800 pixels, as the papers have them."""


@dataclass(frozen=True, kw_only=True)
class DetectorOptions:
    """How a detector is made of an encoder and fine-tuned; the defaults suit small data and a CPU.

    Attributes:
        image_size: Short side of the images in pixels, 80 or more.
        smallest_size: In training the short side is one of every 32nd from here to `image_size`; always `image_size` if None.
        max_size: Longest side in pixels, whatever the short one becomes; four times `image_size` if None.
        freeze: What of the encoder stays as it is, BatchNorm's statistics too: "none", "stem" (up to its first stage), or "all".
        roi_size: Side of the features that are pooled for a box.
        proposals: Boxes of the region proposal network that the box head looks at.
        samples: Of them and of the true boxes, how many an image trains the box head with.
        steps: Optimiser steps.
        batch_size: Images a step.
        lr: Of SGD with momentum 0.9; a tenth from 3/4 of the steps, a hundredth from 11/12.
        warmup: Steps of linear warm-up.
        weight_decay: L2 penalty of SGD.
        seed: Of the new layers, the order and every sample's randomness.
    """

    image_size: int = 256
    smallest_size: int | None = None
    max_size: int | None = None
    freeze: Literal["none", "stem", "all"] = "none"
    roi_size: int = 8
    proposals: int = 300
    samples: int = 256
    steps: int = 1000
    batch_size: int = 4
    lr: float = 0.05
    warmup: int = 100
    weight_decay: float = 1e-4
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(
            **{name: value for name, value in asdict(self).items() if name not in ("freeze", "warmup", "weight_decay", "seed")}
        )
        if (self.smallest_size or self.image_size) < 80:  # or torchvision misjudges the stride, by the padding to 32 pixels
            raise OptionError(f"a short side of {self.smallest_size or self.image_size} pixels is too small; take 80 or more")
        if self.freeze not in ("none", "stem", "all"):
            raise OptionError(f"freeze is {self.freeze!r}; choose none, stem or all")
        if min(self.warmup, self.weight_decay) < 0:
            raise OptionError(f"warmup is {self.warmup} and weight_decay {self.weight_decay}; neither may be negative")
        if self.smallest_size and self.smallest_size > self.image_size:
            raise OptionError(f"smallest_size is {self.smallest_size}; it must not be above the image_size of {self.image_size}")


def detector(encoder: Encoder, classes: int, options: DetectorOptions) -> FasterRCNN:
    """An untrained Faster R-CNN on a copy of an encoder's weights.

    A ResNet is divided as in detectron2's R50-C4 and by MoCo (He et al. 2020, appendix B): its first three stages make the
    features, of stride 16 (4 if it is a -cifar one), and its fourth, with a new BatchNorm after it, looks at each box. For
    conv-small, whose features have stride 8, two new linear layers do. BatchNorm goes on learning, from the images on a device.
    The encoder's `image_size` does not enter.

    Args:
        encoder: f, its backbone a timm ResNet, a -cifar one, or conv-small; one of grey images sees colours in grey.
        classes: How many, without the background.
        options: See `DetectorOptions`.

    Returns:
        In training mode but for what is frozen. Takes lists of float32 images (3, H, W) in [0, 1].

    Raises:
        OptionError: If the encoder has another backbone, or takes images of other than one or three channels.
    """
    o = options
    backbone: Any = deepcopy(encoder.backbone)
    name, colours, width = encoder.config["backbone"], encoder.config["in_channels"], encoder.num_features
    if colours not in (1, 3):
        raise OptionError(f"the encoder takes {colours} channels; a detector takes encoders of colour or grey images")
    if name == "conv-small":
        stem, *stages = backbone[:3], backbone[3:-2]
        channels, head, head_width = width, TwoMLPHead(width * o.roi_size**2, 2 * width), 2 * width
    elif hasattr(backbone, "maxpool") and hasattr(backbone, "layer4"):
        stem = nn.Sequential(backbone.conv1, backbone.bn1, backbone.act1, backbone.maxpool)
        stages = [backbone.layer1, backbone.layer2, backbone.layer3]
        channels, head_width = width // 2, width
        head = nn.Sequential(backbone.layer4, nn.BatchNorm2d(width), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    else:
        raise OptionError(f"backbone {name!r} cannot be made a detector; take an encoder of a ResNet or conv-small")
    features: Any = nn.Sequential(*([Grayscale()] if colours == 1 else []), stem, *stages)
    features.out_channels = channels
    model = FasterRCNN(
        features,
        min_size=(*range(o.smallest_size or o.image_size, o.image_size, 32), o.image_size),
        max_size=o.max_size or 4 * o.image_size,
        image_mean=encoder.mean.expand(3, 1, 1).flatten().tolist(),
        image_std=encoder.std.expand(3, 1, 1).flatten().tolist(),
        rpn_anchor_generator=AnchorGenerator((tuple(round(side * o.image_size) for side in ANCHORS),), ((0.5, 1.0, 2.0),)),
        rpn_post_nms_top_n_train=o.proposals,
        rpn_post_nms_top_n_test=o.proposals,
        box_roi_pool=MultiScaleRoIAlign(["0"], o.roi_size, sampling_ratio=0),
        box_head=head,
        box_predictor=FastRCNNPredictor(head_width, classes + 1),
        box_batch_size_per_image=o.samples,
    ).train()
    for part in {"none": [], "stem": [stem], "all": [backbone]}[o.freeze]:
        part.requires_grad_(False).eval()
    return model


class Detection(Learner):
    """Images learn their boxes: the four losses of Faster R-CNN, of images that are mirrored half of the time."""

    def __init__(self, model: FasterRCNN, options: DetectorOptions):
        super().__init__()
        self.model, self.options = model, options

    def training_step(self, batch: tuple[tuple[list[Tensor], list[Target]], Tensor], _: int) -> Tensor:
        (images, targets), seeds = batch
        mirrored = uniform(seeds, 1)[:, 0] < 0.5
        shown = [mirror(i, t) if m else (i, t) for i, t, m in zip(images, targets, mirrored, strict=True)]
        losses = self.model([image.float() / 255 for image, _ in shown], [target for _, target in shown])
        loss = torch.stack([*losses.values()]).sum()
        self.log_dict({"loss": loss, **losses})
        return loss

    def configure_optimizers(self) -> Any:
        o = self.options
        learned = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = SGD(learned, o.lr, momentum=0.9, weight_decay=o.weight_decay)

        def factor(step: int) -> float:
            return min(1, (step + 1) / max(1, o.warmup)) * 0.1 ** ((4 * step >= 3 * o.steps) + (12 * step >= 11 * o.steps))

        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}}


def mirror(image: Tensor, target: Target) -> tuple[Tensor, Target]:
    """An image (C, H, W) and its boxes, left to right."""
    x0, y0, x1, y1 = target["boxes"].unbind(1)
    width = image.shape[-1]
    return image.flip(-1), {**target, "boxes": torch.stack([width - x1, y0, width - x0, y1], 1)}


def train_detector(
    encoder: Encoder,
    data: BoxedImages,
    options: DetectorOptions | None = None,
    out: Path | None = None,
    resume: bool = False,
    **trainer: Any,
) -> FasterRCNN:
    """Fine-tunes an encoder on images with boxes.

    Args:
        encoder: See `detector`; stays as it is.
        data: The training part.
        options: See `DetectorOptions`; its defaults if None.
        out: Run folder for checkpoints, `metrics.csv` and the detector, which `load_detector` opens; None keeps nothing.
        resume: Go on from the last checkpoint in `out`, or return the detector that a finished run left there.
        **trainer: Further arguments of `fit`.

    Returns:
        The detector, in eval mode: float32 images (3, H, W) in [0, 1] -> boxes in the image's own pixels, labels and scores.

    Raises:
        OptionError: If the encoder cannot be made a detector.
    """
    if resume and out and (out / "model.json").exists():
        return load_detector(out)
    o = options or DetectorOptions()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(o.seed)
        model = detector(encoder, len(data.class_names), o)
    fit(
        Detection(model, o),
        data,
        steps=o.steps,
        batch_size=o.batch_size,
        seed=o.seed,
        out=out,
        resume=resume,
        description="detector",
        **trainer,
    )
    if out:
        config = {"encoder": encoder.config, "class_names": data.class_names, "options": asdict(o)}
        rank_zero_only(write_model)(out, model, kind="detector", config=config)
    return model.eval()


def load_detector(folder: Path | str) -> FasterRCNN:
    """Reads a detector that `train_detector` wrote, in eval mode.

    Raises:
        CheckpointError: If the folder lacks the files, or they do not fit each other.
    """
    description, weights = read_model(folder)
    config = description["config"]
    if description.get("kind") != "detector":
        raise CheckpointError(f"{folder} holds no detector; name what evaluate detection wrote")
    with building(folder):
        model = detector(Encoder(**config["encoder"]), len(config["class_names"]), DetectorOptions(**config["options"]))
        model.load_state_dict(weights)
    return model.eval()
