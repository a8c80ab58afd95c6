"""The scales the tables of learned views run at: "smoke" to see that they run, "small" on two cores, "paper" for its own."""

from dataclasses import replace

from ...latents import SearchOptions
from ...latents.inversion import InversionOptions
from ...metrics import CriticOptions
from ...training import GANOptions, InversionEncoderOptions, PretrainOptions
from ..recipes import GeneratorRecipe
from .settings import Scale

CROSS = {"temperature": 0.5, "negatives": "cross"}
"""The paper's InfoNCE."""

TINY = GeneratorRecipe(
    family="stylegan2",
    image_size=8,
    options={"steps": 2, "batch_size": 4},
    architecture={"latent_dim": 8, "mapping": (8, 8), "channels": (8, 8)},
    discriminator={"channels": (8, 8)},
)

SMOKE = Scale(
    data="digits",
    generators={
        "gan": TINY,
        "vae": replace(TINY, family="mlp_vae", architecture={"latent_dim": 4}, discriminator={}),
        "augmented": replace(TINY, objective=GANOptions(augment="expert")),
    },
    images=64,
    seeds=1,
    encoder=PretrainOptions(steps=2, batch_size=32, image_size=16, objective=CROSS),
    inversion=InversionOptions(steps=2, starts=4),
    method="in-domain",
    inverter=InversionEncoderOptions(steps=2, batch_size=8),
    search=SearchOptions(steps=2),
    cached=2,
    critic=CriticOptions(epochs=1, batch_size=16),
)
"""Two steps of everything on handwritten digits: says that a table runs, and nothing about its rows."""

SMALL = Scale(
    data="fashion-mnist",
    generators={
        "gan": "fashion-stylegan2",
        "vae": GeneratorRecipe(family="disco_vae", image_size=32, architecture={"latent_dim": 32, "width": 16, "period": None}),
        "augmented": GeneratorRecipe(
            family="stylegan2", image_size=32, options={"steps": 1500}, objective=GANOptions(augment="expert")
        ),
    },
    images=1000,
    seeds=3,
    encoder=PretrainOptions(
        steps=200, batch_size=128, augmentation="simclr", objective={"temperature": 0.5, "negatives": "cross"}
    ),
    inversion=InversionOptions(steps=50),
    method="in-domain",
    inverter=InversionEncoderOptions(steps=600),
    search=SearchOptions(steps=100, lr=0.03),
    cached=4,
)
"""1,000 images of Fashion-MNIST at 32 px in the StyleGAN2 that comes with the package, a three-layer convolutional encoder."""

PAPER = Scale(
    data="cifar10",
    generators={
        "gan": "cifar10-stylegan2.pt",
        "vae": GeneratorRecipe(family="disco_vae", image_size=32, architecture={"latent_dim": 128, "period": None}),
        "augmented": GeneratorRecipe(
            family="stylegan2", image_size=32, options={"steps": 100_000}, objective=GANOptions(augment="expert")
        ),
    },
    seeds=5,
    encoder=PretrainOptions(
        backbone="resnet18-cifar",
        augmentation="simclr",
        objective=CROSS,
        steps=78_000,
        batch_size=512,
        lr=0.06 / 2,
        weight_decay=5e-4,
    ),
    inversion=InversionOptions(steps=1000, lr=0.01, tolerance=0.0),
    method="in-domain",
    inverter=InversionEncoderOptions(steps=100_000, lr=1e-4, batch_size=64),
    search=SearchOptions(boundary=0.3, uniformity=0.5),
    cached=8,
)
"""CIFAR-10 with a pretrained StyleGAN2 in the file cifar10-stylegan2.pt, ResNet-18, 800 epochs of 512; the optimiser's settings
and the generators but the first are this project's choice."""

SCALES = {"smoke": SMOKE, "small": SMALL, "paper": PAPER}
