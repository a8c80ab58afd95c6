"""The scales DisCo's tables run at: "smoke" to see that they run, "small" on two cores, "paper" for its own setting."""

from collections.abc import Mapping
from typing import Any

from ...training import ClassifierOptions, InfoGANOptions, VAEOptions
from ...training.closed_form import DeepSpectralOptions, GANSpaceOptions, SeFaOptions
from ...training.disco import DiscoOptions
from ...training.latent_discovery import LatentDiscoveryOptions
from ...training.shift_regression import ShiftRegressionOptions
from ..recipes import GeneratorRecipe
from .settings import Scale


def methods(disco: DiscoOptions, lr: float = 1e-4) -> dict[str, Any]:
    """DisCo's options, and the other methods' of as many directions, steps and samples, with its encoder and shifts.

    Args:
        disco: Its options.
        lr: Of the other methods; LatentDiscovery's own by default.
    """
    training: dict[str, Any] = {"shift": disco.shift, "batch_size": disco.samples, "steps": disco.steps, "lr": lr}
    encoder = ShiftRegressionOptions(architecture=disco.architecture, **training)
    return {
        "disco": disco,
        "latent-discovery": LatentDiscoveryOptions(count=disco.count, encoder=encoder, **training),
        "sefa": SeFaOptions(count=disco.count, encoder=encoder),
        "ganspace": GANSpaceOptions(count=disco.count, encoder=encoder),
        "deep-spectral": DeepSpectralOptions(count=disco.count, encoder=encoder),
    }


def vaes(size: int, width: int, **options: Any) -> dict[str, GeneratorRecipe]:
    """A VAE to discover directions in, and the two that learn to disentangle."""

    def recipe(objective: VAEOptions) -> GeneratorRecipe:
        architecture = {"latent_dim": 10, "width": width, "period": None}
        return GeneratorRecipe(
            family="disco_vae", image_size=size, options=options, architecture=architecture, objective=objective
        )

    return {
        "vae": recipe(VAEOptions()),
        "factor-vae": recipe(VAEOptions(objective="factor", gamma=20.0)),
        "beta-tcvae": recipe(VAEOptions(objective="tc", beta=6.0)),
    }


SMOKE = Scale(
    data="shapes3d",
    generators={
        **vaes(16, 4, steps=2, batch_size=8),
        "gan": GeneratorRecipe(
            family="stylegan2",
            image_size=16,
            options={"steps": 2, "batch_size": 4},
            architecture={"latent_dim": 8, "mapping": (8, 8), "channels": (8, 8, 8)},
            discriminator={"channels": (8, 8, 8)},
        ),
        "flow": GeneratorRecipe(
            family="glow",
            image_size=16,
            options={"steps": 2, "batch_size": 4},
            architecture={"blocks": 2, "steps": 1, "width": 8},
        ),
        "infogan-cr": GeneratorRecipe(
            family="dcgan",
            image_size=16,
            options={"steps": 2, "batch_size": 4},
            architecture={"latent_dim": 8, "channels": (8, 8)},
            discriminator={"width": 8},
            objective=InfoGANOptions(),
        ),
    },
    methods=methods(DiscoOptions(count=4, codes=4, architecture={"width": 4}, batch_size=4, positives=4, negatives=8, steps=2)),
    seeds=1,
    samples=60,
    attributes=ClassifierOptions(steps=2, batch_size=16),
    classified=40,
    anchors=4,
    strengths=2,
)
"""Two steps of everything at 16 px: says that a table runs, and nothing about its rows."""

SMALL = Scale(
    data="shapes3d",
    generators={
        **vaes(32, 16, steps=1000, batch_size=32),
        "gan": GeneratorRecipe(family="stylegan2", image_size=32, options={"steps": 2500}),
        "flow": GeneratorRecipe(
            family="glow", image_size=32, options={"steps": 1000, "batch_size": 32}, architecture={"steps": 4, "width": 32}
        ),
        "infogan-cr": GeneratorRecipe(
            family="dcgan",
            image_size=32,
            options={"steps": 1000},
            architecture={"latent_dim": 32},
            objective=InfoGANOptions(codes=10),
        ),
    },
    methods=methods(
        DiscoOptions(
            count=20,
            codes=10,
            architecture={"width": 16},
            shift=3.0,
            form="code",
            flip_threshold=0.99,
            batch_size=16,
            positives=16,
            negatives=32,
            steps=400,
            lr=2e-3,
        ),
        lr=2e-3,
    ),
    seeds=3,
    runs=5,
    samples=5000,
    attributes=ClassifierOptions(steps=300),
)
"""Shapes3D rendered at 32 px, a StyleGAN2, a VAE and a Glow that are trained first, one each for all seeds.

DisCo has the loss of its code, which learns more in few steps, and a flip threshold of 0.99: variations of an encoder that has
learned little are so alike that most negatives are above the paper's 0.95.
"""

PAPER = Scale(
    data="shapes3d",
    generators={
        **vaes(64, 64, steps=300_000, batch_size=64, lr=1e-4),
        "gan": GeneratorRecipe(
            family="stylegan2",
            image_size=64,
            options={"steps": 100_000, "batch_size": 16, "lr": 2e-3},
            architecture={"latent_dim": 512, "mapping": (512,) * 3, "channels": (256,) * 5},
            discriminator={"channels": (256,) * 5},
        ),
        "flow": GeneratorRecipe(
            family="glow",
            image_size=64,
            options={"steps": 200_000, "batch_size": 16, "lr": 1e-4},
            architecture={"blocks": 4, "steps": 32, "width": 512, "affine": True},
        ),
        "infogan-cr": GeneratorRecipe(
            family="dcgan",
            image_size=64,
            options={"steps": 300_000, "batch_size": 64, "lr": 2e-4},
            architecture={"latent_dim": 64},
            objective=InfoGANOptions(codes=10),
        ),
    },
    methods=methods(DiscoOptions(lr=1e-5, steps=100_000)),
    seeds=25,
    runs=5,
    attributes=ClassifierOptions(backbone="resnet18-cifar", steps=4000),
    classified=100_000,
    anchors=256,
    strengths=12,
)
"""64 px, a StyleGAN2 of 512-d w and 256 channels, 5 generators x 5 seeds, 100,000 steps. How generators, baselines and
classifiers are trained is this project's choice."""

SCALES: Mapping[str, Scale] = {"smoke": SMOKE, "small": SMALL, "paper": PAPER}
