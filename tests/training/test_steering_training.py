"""Steering: the step, walks that are known, masks, and runs that resume."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image
from torch import Tensor, nn

from genviews import generators, latents
from genviews.augmentations import edit
from genviews.errors import OptionError
from genviews.generators import Generator
from genviews.latents import Steering
from genviews.randomness import derive, sample_seeds
from genviews.training.steering import SteeringLearner, SteeringOptions, train_steering
from genviews.views.sources import draw_condition

FLOW = generators.load("digits-flow")
QUICK = SteeringOptions(steps=6, batch_size=16)


class Blob(nn.Module):
    """A blurred dot: z_0 moves it 2 pixels right, z_1 one pixel down, z_2 brightens all by a tenth of the grey range."""

    def forward(self, z: Tensor) -> Tensor:
        at = torch.arange(16) - 7.5
        x, y = at - 2 * z[:, 0, None], at - z[:, 1, None]
        dot = torch.exp(-(x[:, None, :] ** 2 + y[:, :, None] ** 2) / 18)
        return (dot / 2 + z[:, 2, None, None] / 10)[:, None]


def blob() -> Generator:
    return generators.wrap(Blob(), latent_dim=4, image_shape=(1, 16, 16), output_range=(0, 1))


def test_the_known_walks_are_found() -> None:
    """100/256 of 16 pixels are 6.25: 3.125 along a coordinate of 2 pixels; brightness 1 is half the range: 5 along a tenth."""
    options = SteeringOptions(edits=("shift_x", "shift_y", "brightness"), steps=250, batch_size=32, lr=0.1)
    steering = train_steering(blob(), options)
    expected = torch.tensor([[3.125, 0, 0], [0, 6.25, 0], [0, 0, 5]])
    torch.testing.assert_close(steering.walks[:, :3], expected, atol=0.2, rtol=0.03)


def test_an_mlp_walk_learns_too() -> None:
    options = SteeringOptions(edits=("shift_x",), hidden=32, steps=250, batch_size=64, lr=0.02)
    steering = train_steering(blob(), options)
    z = blob().sample_latents(200, rng=torch.arange(200))
    walked = steering.displacement(z, torch.full((200, 1), 0.5))
    assert abs(walked[:, 0].median() - 3.125 / 2) < 0.25


class Conditioned(nn.Module):
    """The dot on a ground of the condition's brightness."""

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        return Blob()(z) + condition[:, None, None, None] / 10


def test_the_step_is_the_mean_error_over_the_pixels_there_are() -> None:
    generator = generators.wrap(Conditioned(), latent_dim=4, image_shape=(1, 16, 16), output_range=(0, 1), num_conditions=3)
    steering, seeds = Steering(4, ("zoom", "rotation_3d")), torch.arange(8)
    learner = SteeringLearner(generator, steering, QUICK)
    learner.log = lambda *_: None  # type: ignore[method-assign]
    z, alphas, condition = generator.sample_latents(8, rng=seeds), steering.draw(derive(seeds, 1)), draw_condition(seeds, 3)
    target, mask = edit(generator(z, condition), {"zoom": alphas[:, 0], "rotation_3d": alphas[:, 1]})
    reached = generator(z + alphas @ steering.walks, condition)
    expected = (reached[mask > 0] - target[mask > 0]).square().mean()
    assert mask.mean() < 0.9
    torch.testing.assert_close(learner.training_step(((), seeds), 0), expected)


def test_only_the_walks_learn() -> None:
    before = [parameter.clone() for parameter in FLOW.parameters()]
    steering = train_steering(FLOW, QUICK)
    assert all(map(torch.equal, before, FLOW.parameters()))
    start = Steering(FLOW.latent_dim, steering.edits)
    assert steering.edits == ("brightness", "rotation_3d", "rotation_2d", "zoom", "shift_x", "shift_y")
    assert 0 < (steering.walks - start.walks).abs().max() < 0.1


class Killed(Exception):
    pass


class Kill(Callback):
    def on_train_batch_end(self, trainer: object, *_: object) -> None:
        if trainer.global_step == 4:  # type: ignore[attr-defined]
            raise Killed


@pytest.mark.parametrize("hidden", [None, 8])
def test_killed_it_resumes_to_the_same_bytes(hidden: int | None, tmp_path: Path) -> None:
    options = SteeringOptions(steps=6, batch_size=16, hidden=hidden)
    whole = train_steering(FLOW, options, tmp_path / "whole", checkpoint_every=3, log_every=2)
    with pytest.raises(Killed):
        train_steering(FLOW, options, tmp_path / "killed", checkpoint_every=3, log_every=2, callbacks=[Kill()])
    assert not (tmp_path / "killed" / "model.json").exists()
    train_steering(FLOW, options, tmp_path / "killed", resume=True, checkpoint_every=3, log_every=2)
    for name in ("model.safetensors", "model.json", "metrics.csv", "images/walks.png"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    again = train_steering(FLOW, options, tmp_path / "killed", resume=True)
    z, seeds = torch.randn(3, FLOW.latent_dim), torch.arange(3)
    assert torch.equal(again(z, rng=seeds), whole(z, rng=seeds))
    assert torch.equal(latents.load(tmp_path / "whole")(z, rng=seeds), whole(z, rng=seeds))


def test_the_picture_walks_from_the_shortest_to_the_longest(tmp_path: Path) -> None:
    steering = train_steering(blob(), SteeringOptions(edits=("shift_x", "brightness"), steps=2, batch_size=4), tmp_path)
    sheet = torch.from_numpy(np.array(Image.open(tmp_path / "images" / "walks.png").convert("L"))) / 255
    assert sheet.shape == (6 * 17 + 1, 9 * 17 + 1)
    z = blob().sample_latents(3, rng=sample_seeds(0, -1 - torch.arange(3)))
    for row, column, edited, alpha in ((0, 0, 0, -1), (1, 8, 0, 1), (2, 4, 0, 0), (3, 0, 1, -0.5), (5, 8, 1, 0.5)):
        expected = blob()(z[row % 3, None] + alpha * steering.walks[edited])[0, 0].clamp(0, 1)
        shown = sheet[17 * row + 1 : 17 * row + 17, 17 * column + 1 : 17 * column + 17]
        torch.testing.assert_close(shown, expected, atol=0.51 / 255, rtol=0)


def test_edits_that_do_not_fit_are_refused() -> None:
    with pytest.raises(OptionError, match=r"edit 'red' is none of images \(1, 8, 8\); choose from brightness, rotation_3d"):
        train_steering(FLOW, SteeringOptions(edits=("red",)))
    with pytest.raises(OptionError, match="lr is 0; it must be positive"):
        SteeringOptions(lr=0)
