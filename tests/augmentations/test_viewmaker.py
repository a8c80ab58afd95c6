"""The ViewMaker is the authors' network, a T_x like the others, and kept on disk."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from genviews import augmentations
from genviews.augmentations import Viewmaker
from genviews.errors import CheckpointError, OptionError, ShapeError
from genviews.randomness import derive, uniform


def tiny(channels: int = 1, **options: Any) -> Viewmaker:
    torch.manual_seed(0)
    return Viewmaker(channels, **{"widths": (4, 6, 8), "blocks": 2} | options)


def images(n: int = 5, channels: int = 1, side: int = 12) -> Tensor:
    return torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(0))


def test_it_is_the_recorded_network(shared: Path) -> None:
    viewmaker = augmentations.load(shared / "fixtures" / "viewmaker" / "checkpoint.ckpt")
    with np.load(shared / "fixtures" / "viewmaker" / "io.npz") as arrays:
        recorded = {name: torch.tensor(array) for name, array in arrays.items()}
    noise = [recorded[f"noise{i}"] for i in range(4)]
    delta = viewmaker.perturbation(recorded["x"], noise)
    torch.testing.assert_close(delta, recorded["out_delta"], rtol=1e-4, atol=2e-6)
    torch.testing.assert_close(recorded["x"] + delta, recorded["out_view"], rtol=1e-4, atol=2e-6)
    assert not viewmaker.clamp and not viewmaker.training and not any(p.requires_grad for p in viewmaker.parameters())


def test_noise_is_drawn_from_the_seeds() -> None:
    viewmaker, seeds = tiny(clamp=False), torch.tensor([5, -7, 1 << 60, 0, 9])
    sizes = [(12, 12), (3, 3), (3, 3)]
    noise = [uniform(derive(seeds, i), h * w).view(5, 1, h, w) for i, (h, w) in enumerate(sizes)]
    torch.testing.assert_close(viewmaker(images(), seeds), images() + viewmaker.perturbation(images(), noise))


def test_a_sample_depends_on_its_seed_alone() -> None:
    viewmaker, seeds = tiny(3), torch.arange(5)
    together = viewmaker(images(channels=3), seeds)
    apart = [viewmaker(image[None], seed[None])[0] for image, seed in zip(images(channels=3), seeds, strict=True)]
    torch.testing.assert_close(torch.stack(apart), together, rtol=1e-5, atol=1e-6)
    assert (viewmaker(images(channels=3), seeds + 5) - together).abs().max() > 0.01


@pytest.mark.parametrize("budget", [0.05, 0.2])
def test_the_budget_is_the_mean_absolute_change(budget: float) -> None:
    change = tiny(budget=budget, clamp=False)(images(), torch.arange(5)) - images()
    torch.testing.assert_close(change.abs().mean((1, 2, 3)), torch.full((5,), budget), rtol=0.01, atol=0)


def test_views_are_clamped_unless_told_otherwise() -> None:
    black = torch.zeros(4, 1, 12, 12)
    assert tiny()(black, torch.arange(4)).min() == 0
    assert tiny(clamp=False)(black, torch.arange(4)).min() < 0


@pytest.mark.parametrize("shape", [(8, 8), (9, 14), (30, 11)])
def test_any_size_from_eight_pixels_on(shape: tuple[int, int]) -> None:
    batch = torch.rand(2, 1, *shape)
    assert tiny()(batch, torch.arange(2)).shape == batch.shape


def test_images_are_resized_first() -> None:
    resized = F.interpolate(images(side=8), (16, 16), mode="bilinear", antialias=True)
    torch.testing.assert_close(tiny(size=16)(images(side=8), torch.arange(5)), tiny()(resized, torch.arange(5)))


def test_all_weights_and_the_images_get_gradients() -> None:
    """Nothing is there that InstanceNorm removes: rounding alone would move it."""
    viewmaker, batch = tiny(), images().requires_grad_()
    loss = (viewmaker(batch, torch.arange(5)) * images(side=12).roll(1, 0)).square().sum()
    gradients = torch.autograd.grad(loss, [batch, *viewmaker.parameters()])
    assert all(gradient.abs().max() > 1e-5 for gradient in gradients)


def test_save_and_load(tmp_path: Path) -> None:
    viewmaker = tiny(budget=0.1, size=10)
    augmentations.save(viewmaker, tmp_path / "viewmaker")
    again = augmentations.load(tmp_path / "viewmaker")
    assert torch.equal(again(images(), torch.arange(5)), viewmaker(images(), torch.arange(5)))
    assert augmentations.load(tmp_path / "viewmaker", size=16)(images(), torch.arange(5)).shape == (5, 1, 16, 16)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "model.json is missing; give the path of a checkpoint file"),
        (
            {"state_dict": {"model.weight": torch.ones(1)}},
            "holds no ViewMaker; name a folder by save, or a checkpoint of the authors'",
        ),
        (torch.ones(3), "holds no ViewMaker"),
        ({"state_dict": {"viewmaker.conv1.conv2d.weight": torch.ones(4, 2, 9, 9)}}, "lacks 'conv2.weight'; it is damaged"),
    ],
)
def test_other_files_are_refused(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if content is None:
        path.mkdir()
    else:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        augmentations.load(path)


def test_another_models_folder_is_refused(tmp_path: Path) -> None:
    augmentations.viewmaker.write_model(tmp_path, tiny(), kind="encoder", config={})
    with pytest.raises(CheckpointError, match="is of kind 'encoder', no ViewMaker; name the viewmaker/ of a run"):
        augmentations.load(tmp_path)


def test_bad_options_and_images_are_refused() -> None:
    for options, message in (
        ({"budget": 0}, "budget is 0; it must be positive"),
        ({"widths": (8, 8)}, r"widths are \(8, 8\); give three numbers of channels"),
        ({"blocks": 0}, "blocks is 0; it must be positive"),
    ):
        with pytest.raises(OptionError, match=message):
            tiny(**options)
    with pytest.raises(ShapeError, match=r"for images \(B, 1, H, W\), got \(5, 3, 12, 12\); train another"):
        tiny()(images(channels=3))
    with pytest.raises(ShapeError, match="at least 8 px, got 6 x 6; pass a larger size"):
        tiny()(images(side=6))
