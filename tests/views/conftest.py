"""Small generators with real weights, on the CPU."""

import pytest
import torch
from torch import Tensor, nn

from genviews.generators.base import Generator, wrap

LATENT_DIM, IMAGE_SHAPE, NUM_CONDITIONS = 6, (3, 16, 16), 5


class Mlp(nn.Module):
    """A smooth picture of a latent (and a condition): a coarse 4 x 4 grid, upsampled, in about [-1.2, 1.2]."""

    def __init__(self, num_conditions: int | None = None):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.embedding = nn.Embedding(num_conditions, LATENT_DIM) if num_conditions else None
            self.layers = nn.Sequential(nn.Linear(LATENT_DIM, 32), nn.ReLU(), nn.Linear(32, 48), nn.Tanh())

    def forward(self, latents: Tensor, condition: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            latents = latents + self.embedding(condition)
        coarse = 2 * self.layers(latents).reshape(-1, 3, 4, 4)
        return nn.functional.interpolate(coarse, size=IMAGE_SHAPE[1:], mode="bilinear")


@pytest.fixture(scope="session")
def generator() -> Generator:
    return wrap(Mlp(), latent_dim=LATENT_DIM, image_shape=IMAGE_SHAPE)


@pytest.fixture(scope="session")
def conditional() -> Generator:
    return wrap(Mlp(NUM_CONDITIONS), latent_dim=LATENT_DIM, image_shape=IMAGE_SHAPE, num_conditions=NUM_CONDITIONS)
