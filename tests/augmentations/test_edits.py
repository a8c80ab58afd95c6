"""GenRep's edits against a camera that looks at each pixel, and against what each must do alone."""

import numpy as np
import pytest
import torch
from reference.edits import edit as reference

from genviews.augmentations import edit, edits_of
from genviews.errors import ShapeError
from genviews.latents import LENGTHS

GEOMETRY = ("rotation_3d", "rotation_2d", "zoom", "shift_x", "shift_y")


@pytest.mark.parametrize("shape", [(3, 9, 9), (1, 8, 12)])
@pytest.mark.parametrize("kind", ["all", "colour", *GEOMETRY])
def test_each_edit_and_all_together_are_the_references(shape: tuple[int, int, int], kind: str) -> None:
    rng = torch.Generator().manual_seed(len(kind))
    images = torch.rand(4, *shape, generator=rng)
    names = edits_of(shape[0])
    alphas = {name: LENGTHS[name](torch.rand(4, generator=rng)) for name in names}
    kept = {"all": names, "colour": names[:-5]}.get(kind, (kind,))
    moved, mask = edit(images, {name: alphas[name] for name in kept})
    for i, image in enumerate(images):
        amount = {name: float(alphas[name][i]) if name in kept else 0.0 for name in names}
        shift = [amount["shift_x"], amount["shift_y"]]
        geometry = (amount["rotation_3d"], amount["rotation_2d"], amount["zoom"], shift)
        expected, inside = reference(image.numpy(), [amount[name] for name in names[:-5]], *geometry)
        np.testing.assert_array_equal(mask[i].numpy(), inside)
        np.testing.assert_allclose(moved[i].numpy(), expected, atol=2e-5)


def test_the_directions() -> None:
    """A dot right of the centre of 256 x 256."""
    dot = torch.zeros(1, 1, 256, 256)
    dot[:, :, 126:130, 166:170] = 1
    yx = torch.cartesian_prod(torch.arange(256), torch.arange(256)) + 0.5 - 128

    def where(**alphas: float) -> list[float]:
        moved, _ = edit(dot, {name: torch.tensor([alpha]) for name, alpha in alphas.items()})
        return [round(float(moved.flatten() @ yx[:, axis] / moved.sum()), 1) for axis in (1, 0)]

    assert where() == [40, 0]
    assert where(shift_x=0.5) == [90, 0]
    assert where(shift_y=-0.3) == [40, -30]
    assert where(zoom=float(np.log(2))) == [20, 0]
    assert where(rotation_2d=1.0) == pytest.approx([40 * np.cos(np.pi / 6), -20], abs=0.1)
    depth = 1 + 40 * np.sin(np.pi / 6) / np.hypot(256, 256)
    assert where(rotation_3d=0.5) == pytest.approx([(40 * np.cos(np.pi / 6) - 6) / depth, 0], abs=0.1)


def test_nothing_changes_without_an_amount_and_the_mask_is_whole() -> None:
    images = torch.rand(2, 3, 16, 16)
    moved, mask = edit(images, {})
    torch.testing.assert_close(moved, images, atol=1e-5, rtol=0)
    assert mask.shape == (2, 1, 16, 16) and mask.all()


def test_a_shrunken_image_has_pixels_in_its_middle_alone() -> None:
    _, mask = edit(torch.rand(1, 1, 16, 16), {"zoom": torch.tensor([4.0]).log()})
    inside = torch.zeros(16, 16)
    inside[6:10, 6:10] = 1
    assert torch.equal(mask[0, 0], inside)


def test_images_of_two_channels_are_refused() -> None:
    with pytest.raises(ShapeError, match="2 channels has no edits"):
        edit(torch.rand(1, 2, 8, 8), {})
