"""3D Shapes, rendered."""

import pytest
import torch
from reference.shapes3d import render

from genviews.data.shapes3d import FACTORS, RAYS, shapes3d
from genviews.errors import OptionError

SCENES = [[0, 3, 6, 7, 0, 0], [1, 4, 7, 0, 1, 5], [2, 5, 8, 4, 2, 14], [9, 6, 3, 7, 3, 8]]


@pytest.mark.parametrize("factors", SCENES)
def test_it_is_what_sphere_tracing_sees_along_the_same_rays(factors: list[int]) -> None:
    expected = torch.from_numpy(render(factors, size=16, rays=RAYS))
    assert (shapes3d(16).images(torch.tensor([factors]))[0] - expected).abs().max() < 0.51


def test_it_is_antialiased() -> None:
    expected = torch.from_numpy(render(SCENES[0], size=16, rays=9))
    assert (shapes3d(16).images(torch.tensor(SCENES[:1]))[0] - expected).abs().mean() < 2
    assert (torch.from_numpy(render(SCENES[0], size=16, rays=1)) - expected).abs().mean() > 4


def test_factors_are_those_of_the_original() -> None:
    data = shapes3d(16)
    assert data.factor_names == ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
    assert data.factor_sizes == (10, 10, 10, 8, 4, 15) and len(data) == 480_000
    assert data.index(torch.tensor([[1, 2, 3, 4, 2, 7]])).item() == 48000 + 2 * 4800 + 3 * 480 + 4 * 60 + 2 * 15 + 7


@pytest.mark.parametrize("size", [16, 32, 64])
def test_every_geometry_is_another_image(size: int) -> None:
    """Whatever the hues: also where floor, walls and object have the same."""
    for hues in (0, 5 * 48000 + 5 * 4800 + 5 * 480):
        images = shapes3d(size)[hues + torch.arange(480)][0]
        assert images.shape == (480, 3, size, size)
        assert len(images.flatten(1).unique(dim=0)) == 480


def test_every_combination_of_hues_is_another_image() -> None:
    """With the smallest object, which hides least of the walls and shows least of its own hue."""
    for shape in range(4):
        images = shapes3d(32)[torch.arange(1000) * 480 + shape * 15][0]
        assert len(images.flatten(1).unique(dim=0)) == 1000


def test_a_random_sample_has_no_image_twice() -> None:
    data = shapes3d(32)
    indices = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:4000]
    assert len(data[indices][0].flatten(1).unique(dim=0)) == 4000


@pytest.mark.parametrize("factor", range(6))
def test_each_factor_changes_what_it_should(factor: int) -> None:
    """A hue recolours its surface alone; scale and shape leave the image's upper corners, of walls and sky, as they are."""
    factors = torch.tensor([[0, 3, 6, 4, 1, 7]]).repeat(list(FACTORS.values())[factor], 1)
    factors[:, factor] = torch.arange(len(factors))
    images = shapes3d(32).images(factors).int()
    changes = (images[1:] - images[:-1]).abs().sum(1)
    assert (changes.flatten(1).max(1).values > 30).all()
    where = {
        "bottom": changes[:, 30:].amax((1, 2)),
        "middle": changes[:, 14:18, 14:18].amax((1, 2)),
        "corners": changes[:, :12, :5].amax((1, 2)),
    }
    moved = {name for name, change in where.items() if (change > 30).any()}
    expected = [{"bottom"}, {"corners"}, {"middle"}, {"middle"}, {"middle"}, {"corners"}]
    assert moved == expected[factor], moved


@pytest.mark.parametrize("size", [15, 129])
def test_sizes_it_cannot_make_are_refused(size: int) -> None:
    with pytest.raises(OptionError, match=f"image_size is {size}; shapes3d is rendered at 16 to 128"):
        shapes3d(size)
