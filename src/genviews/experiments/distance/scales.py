"""The scales DAE's tables run at: "smoke" to see that they run, "small" on two cores, "paper" for its own setting."""

from collections.abc import Mapping

from ...training import ClassifierOptions, PretrainOptions, VQGANOptions
from .autoencoders import Scale

FEW = {"steps": 3, "batch_size": 16}

SMOKE = Scale(
    data="digits",
    image_size=16,
    options=dict.fromkeys(("dcgan", "vaegan", "vqgan", "gpt"), FEW),
    architecture={
        "dcgan": {"latent_dim": 8, "channels": (8, 4)},
        "vaegan": {"latent_dim": 8, "width": 4},
        "vqgan": {"width": 8, "multipliers": (1, 1, 1), "codes": 16, "code_dim": 4, "attention": False},
        "gpt": {"width": 16, "heads": 2, "layers": 1},
    },
    discriminator={"width": 4},
    vqgan=VQGANOptions(start=1),
    simclr=PretrainOptions(steps=2, batch_size=32),
    classifier=ClassifierOptions(steps=10),
    samples=150,
    seeds=1,
)
"""Three steps of everything at 16 px: says that a table runs, and nothing about its rows."""

_GAN = {"steps": 800, "lr": 1e-3, "betas": (0.5, 0.999), "ema": 0.99}

SMALL = Scale(
    data="mnist",
    options={
        "dcgan": {**_GAN, "batch_size": 64},
        "vaegan": _GAN,
        "vqgan": {"steps": 500, "lr": 1e-3, "ema": 0.98},
        "gpt": {"steps": 600},
    },
    architecture={
        "dcgan": {"latent_dim": 32, "channels": (64, 32, 16)},
        "vaegan": {"latent_dim": 32, "width": 16},
        "vqgan": {"width": 16, "multipliers": (1, 1, 2), "codes": 64, "code_dim": 16, "attention": False},
        "gpt": {"width": 64, "layers": 3},
    },
    discriminator={"width": 16},
    vqgan=VQGANOptions(start=300),
    simclr=PretrainOptions(steps=300, batch_size=128),
    samples=5000,
    seeds=2,
)
"""MNIST at 32 px, networks an eighth as wide, rates five times as high for a few hundred steps."""

PAPER = Scale(
    data="cifar10",
    options={
        "dcgan": {"steps": 200_000, "batch_size": 64, "lr": 2e-4, "betas": (0.5, 0.999), "ema": 0.9999},
        "vaegan": {"steps": 200_000, "ema": 0.9999},
        "vqgan": {"steps": 250_000, "batch_size": 32, "lr": 4.5e-6 * 32, "ema": 0.0},
        "gpt": {"steps": 250_000, "batch_size": 64, "lr": 4.5e-6 * 64},
    },
    architecture={
        "dcgan": {"latent_dim": 128, "channels": (512, 256, 128)},
        "vaegan": {"latent_dim": 128, "width": 128},
        "vqgan": {"width": 128, "multipliers": (1, 1, 2, 2, 4), "codes": 1024, "code_dim": 256, "blocks": 2},
        "gpt": {"width": 1024, "heads": 16, "layers": 24},
    },
    discriminator={"width": 128},
    vqgan=VQGANOptions(start=30_001),
    simclr=PretrainOptions(steps=100_000, batch_size=512),
    classifier=ClassifierOptions(backbone="resnet18-cifar", steps=20_000),
    samples=50_000,
    seeds=3,
)
"""The sizes, Adams and the delayed discriminator of the papers; steps, averages and the rest are this project's choice."""

SCALES: Mapping[str, Scale] = {"smoke": SMOKE, "small": SMALL, "paper": PAPER}
