"""The scales COP-Gen's tables run at: "smoke" to see that they run, "small" on two cores, "paper" for its own setting."""

from dataclasses import replace

from ...training import NavigatorOptions, PretrainOptions, SteeringOptions
from .settings import Scale

SMOKE = Scale(
    data="digits",
    generator="digits-flow",
    seeds=2,
    pairs=64,
    encoder=PretrainOptions(steps=2, batch_size=32, image_size=16),
    navigator=NavigatorOptions(steps=2, batch_size=16, image_size=16, judge="none", check_every=1),
    steering=SteeringOptions(steps=2, batch_size=8),
)
"""Two steps of everything on handwritten digits: says that a table runs, and nothing about its rows."""

SMALL = Scale(
    data="fashion-mnist",
    generator="fashion-stylegan2",
    seeds=3,
    pairs=10_000,
    encoder=PretrainOptions(steps=200, batch_size=128, augmentation="simclr"),
    navigator=NavigatorOptions(augmentation="simclr", steps=500, batch_size=64, judge_steps=100),
    steering=SteeringOptions(),
)
"""Fashion-MNIST at 32 px, the StyleGAN2 that comes with the package, a three-layer convolutional encoder."""

PAPER = Scale(
    data="imagenet",
    generator="BigBiGAN_x1.pth",
    seeds=1,
    pairs=1_300_000,
    truncation=1.0,
    gaussian_std=0.2,
    encoder=PretrainOptions(
        backbone="resnet50",
        augmentation="simclr",
        image_size=128,
        objective={"temperature": 0.1},
        steps=580_300,
        batch_size=224,
        lr=0.03,
        weight_decay=1e-4,
        warmup=0,
        final_lr=1e-3,
    ),
    navigator=NavigatorOptions(
        backbone="resnet18",
        augmentation="simclr",
        image_size=128,
        init_std=None,
        steps=1136,
        batch_size=176,
        lr=1e-5,
        estimator_lr=3e-5,
        temperature=0.1,
        judge="none",
    ),
    steering=SteeringOptions(steps=5000, batch_size=32, lr=1e-3, truncation=1.0),
    probe={"protocol": "sgd", "epochs": 60, "batch_size": 224},
    codec="jpeg",
)
"""Section 4.1: ImageNet-1K in the folder "imagenet", BigBiGAN at 128 px, 100 epochs of 1.3 M pairs, ResNet-50, 60 of probe."""

PAPER_100 = replace(PAPER, data="imagenet100", pairs=130_000, encoder=replace(PAPER.encoder, steps=58_030))
"""The same on ImageNet-100, with a tenth of the pairs."""

SCALES = {"smoke": SMOKE, "small": SMALL, "paper": PAPER}
SCALES_100 = {"smoke": SMOKE, "small": SMALL, "paper": PAPER_100}
