"""The encoder and the ViewMaker pull at one loss from both ends, and the ViewMaker is kept as a T_x."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.optim import SGD, Adam

from genviews import augmentations, data, encoders
from genviews.errors import CheckpointError, ShapeError
from genviews.losses import viewmaker_loss
from genviews.randomness import derive
from genviews.training import PretrainOptions, fit, pretrain
from genviews.training.pretraining import create
from genviews.training.together import Together
from genviews.views import RealViews

VIEWS = RealViews(data.load("digits").train)
OBJECTIVE = {"widths": (4, 8, 8), "viewmaker_lr": 1e-2}
RECIPE = PretrainOptions(method="viewmaker", objective=OBJECTIVE, steps=3, batch_size=16, warmup=0, projector_dim=12)


def test_a_step_is_sgd_against_adam() -> None:
    ours, theirs = create(VIEWS, RECIPE), create(VIEWS, RECIPE)
    ours.log = theirs.log = lambda *_: None  # type: ignore[method-assign]
    batch = (VIEWS[torch.arange(16)], torch.arange(16))
    optimizer = ours.configure_optimizers()["optimizer"]
    ours.training_step(batch, 0).backward()
    optimizer.step()

    m: Any = theirs
    images = VIEWS(*batch[0]).first
    made = torch.cat([m.viewmaker(images, derive(batch[1], key)) for key in (1, 2)])
    first, second = m.projector(m.encoder(made)).chunk(2)
    loss = viewmaker_loss(first, second, 0.07)
    encoder, adversary = [*m.encoder.parameters(), *m.projector.parameters()], [*m.viewmaker.parameters()]
    gradients = torch.autograd.grad(loss, encoder + adversary)
    for parameter, gradient in zip(encoder, gradients, strict=False):
        parameter.grad = gradient
    for parameter, gradient in zip(adversary, gradients[len(encoder) :], strict=True):
        parameter.grad = -gradient
    SGD(encoder, 0.3 * 16 / 256, momentum=0.9, weight_decay=1e-4).step()
    Adam(adversary, 1e-2).step()
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-4, atol=1e-6)


def test_it_raises_the_loss_of_an_encoder_that_stands_still() -> None:

    def loss(module: Any) -> float:
        seeds = torch.arange(256)
        with torch.no_grad():
            return float(module.loss(module.augmented(VIEWS(*VIEWS[seeds]), seeds), seeds))

    recipe = PretrainOptions(method="viewmaker", objective=OBJECTIVE, steps=10, batch_size=64, lr=1e-9)
    module = create(VIEWS, recipe)
    before = loss(module)
    fit(module, VIEWS, steps=10, batch_size=64)
    assert loss(module) > before + 0.1


def test_it_is_kept_as_an_augmentation(tmp_path: Path) -> None:
    pretrain(VIEWS, RECIPE, tmp_path)
    viewmaker = augmentations.load(tmp_path / "viewmaker")
    assert viewmaker.config["budget"] == 0.05
    assert viewmaker(torch.rand(2, 1, 8, 8), torch.arange(2)).shape == (2, 1, 16, 16)
    assert (tmp_path / "images" / "views.png").exists()
    with Image.open(tmp_path / "images" / "views.png") as picture:  # the image and its two views, a pixel between
        assert picture.size == (3 * 17 + 1, 8 * 17 + 1)
    assert encoders.embedder(tmp_path)(torch.rand(2, 1, 16, 16)).shape == (2, 12)
    again = PretrainOptions(augmentation=str(tmp_path / "viewmaker"), image_size=20, steps=2, batch_size=16)
    module = create(VIEWS, again)
    assert isinstance(module.augment, augmentations.Viewmaker) and module.augment.config["size"] == 20
    before = [p.clone() for p in module.augment.parameters()]
    fit(module, VIEWS, steps=2, batch_size=16)
    assert all(old.equal(new) for old, new in zip(before, module.augment.parameters(), strict=True))


def test_an_augmentation_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    augmentations.save(augmentations.Viewmaker(3, widths=(4, 4, 4)), tmp_path / "colour")
    with pytest.raises(ShapeError, match=r"for images \(B, 3, H, W\), got \(16, 1, 8, 8\)"):
        pretrain(VIEWS, PretrainOptions(augmentation=str(tmp_path / "colour"), steps=1, batch_size=16))
    with pytest.raises(CheckpointError, match=r"model\.json is missing"):
        pretrain(VIEWS, PretrainOptions(augmentation=str(tmp_path), steps=1, batch_size=16))


def parameters() -> tuple[Tensor, Tensor]:
    return nn.Parameter(torch.tensor([1.0, 2.0])), nn.Parameter(torch.tensor([3.0]))


def test_optimisers_together_do_what_each_does_alone_and_go_on_from_their_state() -> None:
    def run(steps: int, state: Any = None, at: Any = None) -> Any:
        first, second = at or parameters()
        optimizer = Together(SGD([first], 0.1, momentum=0.9), Adam([second], 0.2, maximize=True))
        if state:
            optimizer.load_state_dict(state)
        for _ in range(steps):
            loss = optimizer.step(lambda: ((first**2).sum() * second).backward())
            assert loss is None
            optimizer.zero_grad()
            for group in optimizer.param_groups:  # as a schedule does
                group["lr"] *= 0.9
        return (first, second), optimizer.state_dict()

    whole, _ = run(5)
    half, state = run(2)
    torch.testing.assert_close(run(3, state, half)[0], whole, rtol=0, atol=0)
    first, second = parameters()
    alone = SGD([first], 0.1, momentum=0.9), Adam([second], 0.2, maximize=True)
    for _ in range(5):
        ((first**2).sum() * second).backward()
        for optimizer in alone:
            optimizer.step()
            optimizer.zero_grad()
            optimizer.param_groups[0]["lr"] *= 0.9
    torch.testing.assert_close((first, second), whole, rtol=0, atol=0)
