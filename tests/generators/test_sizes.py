"""Networks for images of a given size."""

from typing import Any

import pytest
import torch

from genviews.errors import OptionError
from genviews.generators import FAMILIES
from genviews.generators.sizes import widths


def test_widths_halve_towards_the_image() -> None:
    assert widths((3, 32, 32), last=32) == [128, 128, 64, 32]
    assert widths((1, 8, 8), last=5, most=7) == [7, 5]
    with pytest.raises(OptionError, match="square, of 8, 16, 32, 64"):
        widths((1, 28, 28), last=16)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 64, 64)])
@pytest.mark.parametrize(
    ("family", "conditions"), [("biggan", 3), ("biggan_deep", 3), ("icgan", torch.rand(3, 5)), ("sngan", None)]
)
def test_a_family_is_built_for_the_images_and_their_conditions(family: str, conditions: Any, shape: tuple[int, int, int]) -> None:
    given = {} if conditions is None else {"conditions": conditions}
    generator = FAMILIES[family].for_images(shape, **given, latent_dim=30)
    assert (generator.image_shape, generator.latent_dim) == (shape, 30)
    assert generator.num_conditions == (None if conditions is None else 3)
    condition = () if conditions is None else (torch.tensor([2, 0]),)
    assert generator(generator.sample_latents(2), *condition).shape == (2, *shape)
