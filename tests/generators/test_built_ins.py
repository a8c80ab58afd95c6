"""The generators that come with the package."""

import torch

from genviews.generators import StyleGAN2, available, load


def test_their_names() -> None:
    assert available() == ["digits-flow", "fashion-stylegan2"]


def test_the_stylegan2_shows_clothes_in_each_of_its_spaces() -> None:
    generator = load("fashion-stylegan2")
    assert isinstance(generator, StyleGAN2) and generator.image_shape == (1, 32, 32)
    seeds = torch.arange(64)
    images = generator(generator.sample_latents(64, rng=seeds))
    for space in ("w", "w+"):
        view = generator.in_space(space)
        torch.testing.assert_close(view(view.sample_latents(64, rng=seeds)), images, rtol=1e-4, atol=1e-4)
    edge = torch.cat([images[:, :, 0].flatten(), images[:, :, -1].flatten()])
    centre = images[:, :, 12:20, 12:20]
    assert edge.mean() < 0.15 and 0.25 < centre.mean() < 0.75  # clothes in the middle of black
    assert centre.flatten(1).std(dim=0).mean() > 0.15  # of all kinds
    calm = generator.truncated(0.3)
    assert calm(calm.sample_latents(64, rng=seeds)).std(dim=0).mean() < 0.8 * images.std(dim=0).mean()
