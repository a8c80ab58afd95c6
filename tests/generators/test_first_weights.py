"""The weights that meet a latent first: where they do not look, the image does not change."""

import pytest
import torch
from torch import nn

from genviews import generators
from genviews.errors import GenviewsError
from genviews.generators import DCGAN, MLPGAN, MLPVAE, SNGAN, BigGAN, BigGANDeep, BurgessVAE, DiscoVAE, Generator, StyleGAN2

BLIND = {
    "dcgan": DCGAN((1, 8, 8), 40, [2]),
    "sngan": SNGAN((1, 8, 8), 40, [2, 2]),
    "mlp_gan": MLPGAN((8, 3, 16)),
    "mlp_vae": MLPVAE((1, 4, 4), 8, 5),
    "burgess_vae": BurgessVAE((1, 32, 32), 260),
    "disco_vae": DiscoVAE((1, 8, 8), 10, width=2, period=None),
    "biggan": BigGAN(2, 4, channels=[2, 2, 2], attention=[], latent_dim=120, image_channels=1),
    "biggan, flat": BigGAN(2, 4, channels=[2, 2, 2], attention=[], latent_dim=40, hierarchical=False, image_channels=1),
    "biggan_deep": BigGANDeep([4, 4], [True], None, 120, 2, image_channels=1),
    "stylegan2": StyleGAN2((1, 8, 8), 40, [40], [4, 4], architecture="resnet").in_space("w"),
}
"""Of more latent dimensions than the weights have outputs."""


@pytest.mark.parametrize("name", BLIND)
def test_the_image_changes_along_their_rows_and_nowhere_else(name: str) -> None:
    generator: Generator = BLIND[name].frozen()
    weights = torch.cat(generator.first_weights())
    dim = generator.latent_dim
    assert weights.shape[1] == dim
    *_, right = torch.linalg.svd(weights.double())
    rank = int(torch.linalg.matrix_rank(weights.double()))
    assert 0 < rank < dim
    z = generator.sample_latents(2, rng=torch.arange(2))
    classes = None if generator.num_conditions is None else torch.tensor([0, 1])
    here = generator(z, classes)
    unseen, seen = right[rank:].sum(0).float(), right[:rank].sum(0).float()
    torch.testing.assert_close(generator(z + 5 * unseen, classes), here, atol=1e-5, rtol=1e-4)
    assert (generator(z + 5 * seen, classes) - here).abs().max() > 1e-4


def test_stylegan2_has_a_layer_for_each_w() -> None:
    generator = StyleGAN2((3, 16, 16), 8, [12], [5, 4, 3])
    weights = generator.in_space("w").first_weights()
    assert [tuple(weight.shape) for weight in weights] == [(width, 12) for width in (5, 5, 4, 4, 3, 3)]
    assert len(weights) == generator.num_styles
    with pytest.raises(GenviewsError, match="take its space w"):
        generator.first_weights()
    with pytest.raises(GenviewsError, match=r"each w of a w\+ meets weights of its own"):
        generator.in_space("w+").first_weights()


def test_the_parts_of_a_hierarchical_latent_keep_their_columns() -> None:
    weights = BigGAN(2, 4, channels=[2, 2, 2], attention=[], latent_dim=12).first_weights()
    for part, weight in enumerate(weights):
        assert weight[:, 4 * part : 4 * part + 4].ne(0).any() and weight.ne(0).sum() <= 4 * len(weight)
        assert weight[:, : 4 * part].eq(0).all() and weight[:, 4 * part + 4 :].eq(0).all()


def test_other_generators_say_that_they_have_none() -> None:
    wrapped = generators.wrap(nn.Linear(3, 16), latent_dim=3, image_shape=(1, 4, 4))
    for generator, name in ((generators.load("digits-flow"), "RealNVP"), (wrapped, "Wrapped")):
        with pytest.raises(GenviewsError, match=f"{name} has no weights that meet its latents first"):
            generator.first_weights()
    with pytest.raises(GenviewsError, match=r"takes sines of its latents \(period 10\.0\)"):
        DiscoVAE((1, 8, 8), 10).first_weights()
