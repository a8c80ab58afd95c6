"""Judges of semantic consistency: how alike are two images, without labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms.v2.functional import normalize

from ..errors import OptionError
from ..generators.base import Generator
from ..latents.transforms import Identity
from ..randomness import derive
from ..views.sources import GeneratedViews
from .method import PretrainOptions
from .pretraining import pretrain

Judge = Callable[[Tensor, Tensor], Tensor]
"""(B, C, H, W), (B, C, H, W) -> similarity (B,), higher for images more alike."""


def by_features(features: nn.Module) -> Judge:
    """The cosine of two images' features, (B, C, H, W) -> (B, D); the module follows the images to their device."""
    features = features.eval().requires_grad_(False)

    def judge(first: Tensor, second: Tensor) -> Tensor:
        features.to(first.device)
        return F.cosine_similarity(features(first), features(second))

    return judge


def by_lpips(network: Literal["alex", "vgg", "squeeze"] = "alex") -> Judge:
    """Minus the LPIPS distance (Zhang et al. 2018) of torchmetrics; its backbone's weights are torchvision's, downloaded once."""
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    net = LearnedPerceptualImagePatchSimilarity(net_type=network).net.eval().requires_grad_(False)

    def rgb(images: Tensor) -> Tensor:
        images = images.clamp(0, 1)
        if images.shape[-1] < 64:
            images = F.interpolate(images, size=64, mode="bilinear")
        return images.expand(-1, 3, -1, -1)

    def judge(first: Tensor, second: Tensor) -> Tensor:
        return -net.to(first.device)(rgb(first), rgb(second), normalize=True).flatten()

    return judge


def by_samples(generator: Generator, options: PretrainOptions, out: Path | None = None, resume: bool = False) -> Judge:
    """Features of an encoder pretrained on G's own samples with T_x alone: a judge made from nothing but the generator.

    Args:
        generator: G.
        options: Of the pretraining.
        out: Run folder of the encoder; None keeps nothing.
        resume: Go on with the run in `out`.
    """
    views = GeneratedViews(generator, Identity(), count=options.steps * options.batch_size, seed=options.seed)
    return by_features(pretrain(views, options, out, resume, description="judge"))


def by_timm(name: str) -> Judge:
    """Features of a timm model with its published weights (CLIP's image towers among them), which timm downloads once.

    Raises:
        OptionError: If timm has no such model.
    """
    import timm  # takes seconds

    if not timm.is_model(name):
        raise OptionError(f"judge {name!r} is unknown; choose samples, lpips, none, or one of timm.list_models(pretrained=True)")
    model = timm.create_model(name, pretrained=True, num_classes=0)
    prepared = timm.data.resolve_model_data_config(model)
    mean, std = (list(prepared[key]) for key in ("mean", "std"))

    class Prepared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, images: Tensor) -> Tensor:
            images = F.interpolate(images.clamp(0, 1), size=prepared["input_size"][1:], mode="bilinear")
            return self.model(normalize(images.expand(-1, 3, -1, -1), mean, std))

    return by_features(Prepared())


def create(
    name: str, generator: Generator, options: PretrainOptions, out: Path | None = None, resume: bool = False
) -> Judge | None:
    """The judge that a name stands for: "samples", "lpips", "none", or a timm model.

    Raises:
        OptionError: If timm has no such model.
    """
    if name == "none":
        return None
    if name == "samples":
        return by_samples(generator, options, out, resume)
    if name == "lpips":
        return by_lpips()
    return by_timm(name)


def calibrate(judge: Judge, anchors: Tensor, augment: nn.Module, seeds: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Scales a judge so that 0 is an unrelated sample and 1 an augmented view of the same image.

    Args:
        judge: Any similarity.
        anchors: (B, C, H, W).
        augment: T_x.
        seeds: int64 (B,), of the augmentation.

    Returns:
        The mean consistency of two batches of images, a scalar.

    Raises:
        OptionError: If the judge does not find views of an image more alike than unrelated samples.
    """
    unrelated = judge(anchors, anchors.roll(1, 0)).mean()
    same = judge(augment(anchors, derive(seeds, 1)), augment(anchors, derive(seeds, 2))).mean()
    if not same > unrelated:
        raise OptionError(f"the judge scores views of an image {same:.3g}, other samples {unrelated:.3g}; choose another")
    return lambda first, second: (judge(first, second).mean() - unrelated) / (same - unrelated)
