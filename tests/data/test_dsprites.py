"""dSprites and Noisy-dSprites, rendered."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from genviews.data.dsprites import dsprites, noisy_dsprites


def every(shape: int, **fixed: int) -> Tensor:
    """Factors of one shape, scale 5 and in the middle but for `fixed`, at each of the 40 orientations."""
    values = {"scale": 5, "x": 15, "y": 15} | fixed
    return torch.tensor([[shape, values["scale"], orientation, values["x"], values["y"]] for orientation in range(40)])


def images(factors: Tensor) -> Tensor:
    return dsprites().images(factors)[:, 0]


def test_it_is_the_grid_of_the_original() -> None:
    data = dsprites()
    assert data.factor_names == ("shape", "scale", "orientation", "x", "y") and data.factor_sizes == (3, 6, 40, 32, 32)
    assert len(data) == 737_280 and data.image_shape == (1, 64, 64)
    drawn = data.sample(500, torch.Generator().manual_seed(0))[1]
    assert drawn.unique().tolist() == [0, 255]


def test_sprites_are_rasterised_at_pixel_centres() -> None:
    """The square's and the ellipse's areas by another rule: corners turned, and which side of each edge a pixel lies on."""
    for orientation in (0, 3, 17):
        angle = torch.tensor(orientation * 2 * torch.pi / 39)
        corners = torch.tensor([[11.1, 11.1], [-11.1, 11.1], [-11.1, -11.1], [11.1, -11.1]]) * 0.8  # scale 3
        turned = torch.stack(
            [corners @ torch.stack([angle.cos(), -angle.sin()]), corners @ torch.stack([angle.sin(), angle.cos()])], 1
        )
        pixels = torch.cartesian_prod(torch.arange(64) - 31.0, torch.arange(64) - 26.0).flip(
            1
        )  # the centre is at (16 + 10, 16 + 15)
        inside = torch.ones(len(pixels), dtype=torch.bool)
        for start, end in zip(turned, turned.roll(-1, 0), strict=True):
            edge, offset = end - start, pixels - start
            inside &= edge[0] * offset[:, 1] - edge[1] * offset[:, 0] > 0
        found = images(torch.tensor([[0, 3, orientation, 10, 15]]))[0]
        assert found.equal(255 * inside.reshape(64, 64).to(torch.uint8))


def test_a_step_moves_the_sprite_by_a_pixel() -> None:
    for shape in range(3):
        at = images(torch.tensor([[shape, 5, 7, 10, 20], [shape, 5, 7, 11, 20], [shape, 5, 7, 10, 21]]))
        assert at[1].equal(at[0].roll(1, 1)) and at[2].equal(at[0].roll(1, 0)) and not at[1].equal(at[0])


def test_sprites_stay_within_the_frame() -> None:
    middle = torch.cat([images(every(shape)) for shape in range(3)]).flatten(1).sum(1)
    for x, y in ((0, 0), (31, 0), (0, 31), (31, 31)):
        moved = torch.cat([images(every(shape, x=x, y=y)) for shape in range(3)])
        assert moved.flatten(1).sum(1).equal(middle)


def test_symmetries() -> None:
    """A whole turn is none; and turning backwards mirrors each shape, for each is its own mirror image."""
    for shape in range(3):
        turned = images(every(shape, x=15))
        assert turned[39].equal(turned[0])
        mirrored = turned.flip(2).roll(-1, 2)  # about pixel 31, where the sprite is
        assert (mirrored != turned.flip(0)).flatten(1).sum(1).max() <= 2
        half = turned.flip(1, 2).roll((-1, -1), (1, 2))
        same = bool((half != turned).flatten(1).sum(1).max() <= 2)
        assert same == (shape != 2)  # half a turn changes the heart alone


def test_the_heart_stands_upright_and_larger_scales_are_larger() -> None:
    heart = images(every(2))[0] > 0
    rows = heart.sum(1)[heart.any(1)]
    assert rows[len(rows) // 4] > 1.5 * rows[-len(rows) // 4] and rows[-1] <= 3
    for shape in range(3):
        areas = torch.stack([(images(every(shape, scale=scale)) > 0).flatten(1).sum(1) for scale in range(6)]).double()
        assert ((areas / areas[-1]).mean(1) - torch.linspace(0.5, 1, 6) ** 2).abs().max() < 0.02


def test_smaller_images_are_means_of_pixels() -> None:
    factors = torch.tensor([[0, 1, 2, 3, 4], [2, 5, 30, 20, 10]])
    small = dsprites(32).images(factors)
    assert small.shape == (2, 1, 32, 32)
    inner = (small.float() - avg_pool2d(dsprites().images(factors).float(), 2)).abs()
    assert inner.mean() < 3


def test_noise_is_uniform_independent_and_an_image_s_own() -> None:
    data, indices = noisy_dsprites(), torch.tensor([5, 100_000, 700_000])
    noisy, plain = data[indices][0], dsprites()[indices][0].expand(3, 3, 64, 64)
    assert (noisy[plain == 255] == 255).all()
    counts = noisy[plain == 0].long().bincount(minlength=256)
    expected = counts.sum() / 256
    assert ((counts - expected) ** 2 / expected).sum() < 255 + 4 * (2 * 255) ** 0.5
    background = noisy.double().flatten(1)[:, (plain == 0).flatten(1).all(0)]
    assert (torch.corrcoef(background) - torch.eye(3)).abs().max() < 0.05
    channels = noisy.double().transpose(0, 1).flatten(1)[:, (plain == 0)[:, 0].flatten()]
    assert (torch.corrcoef(channels) - torch.eye(3)).abs().max() < 0.05
    assert data[indices[[2]]][0][0].equal(noisy[2])
