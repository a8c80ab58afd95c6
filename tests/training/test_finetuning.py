"""Fine-tuning moves a whole encoder, from where it was."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from reference.weights import weights
from torch import nn

from genviews import data, encoders
from genviews.data import Subset, extract
from genviews.errors import NonFiniteError, OptionError
from genviews.training import FinetuneOptions, finetune
from genviews.training.finetuning import nesterov

DIGITS = data.load("digits")
QUICK = FinetuneOptions(steps=4, batch_size=32)


def encoder(**options: int) -> encoders.Encoder:
    torch.manual_seed(0)
    return encoders.Encoder(in_channels=1, width=8, **options).eval()


def test_every_layer_of_a_copy_moves_and_the_encoder_stays() -> None:
    pretrained = encoder()
    before = {name: tensor.clone() for name, tensor in pretrained.state_dict().items()}
    found = finetune(pretrained, DIGITS.train, QUICK)
    assert all(tensor.equal(before[name]) for name, tensor in pretrained.state_dict().items()) and not pretrained.training
    assert not any(tensor.equal(before[name]) for name, tensor in found.body.state_dict().items())
    assert found.head.weight.abs().max() > 0 and not found.training


def test_it_starts_from_the_encoder_and_a_head_of_zeros() -> None:
    pretrained = encoder()
    found = finetune(pretrained, DIGITS.train, replace(QUICK, steps=1), lr=1e-9)
    torch.testing.assert_close(weights(found.body), weights(pretrained), atol=1e-6, rtol=0)
    assert found.head.weight.shape == (10, 32) and found.head.weight.abs().max() < 1e-6


def test_the_optimizer_is_nesterovs_with_a_rate_for_the_head() -> None:
    found = encoders.classifier(encoder().config, 10)
    description = nesterov(found, lr=0.02, weight_decay=1e-3, head=5.0, steps=10)
    optimizer, schedule = description["optimizer"], description["lr_scheduler"]["scheduler"]
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.02, 0.1])
    assert all(group["nesterov"] and group["momentum"] == 0.9 for group in optimizer.param_groups)
    assert all(group["weight_decay"] == 1e-3 for group in optimizer.param_groups)
    assert {*optimizer.param_groups[1]["params"]} == {*found.head.parameters()}
    for _ in range(5):
        optimizer.step()
        schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.01, 0.05])  # half-way down the cosine


def test_it_learns_with_few_images() -> None:
    found = finetune(encoder(image_size=16), DIGITS.train, FinetuneOptions(steps=60, lr=(0.1,)))
    logits, labels = extract(nn.Sequential(found.body, found.head), DIGITS.test, progress=False)
    assert float((logits.argmax(1) == labels).float().mean()) > 0.8
    few = Subset(DIGITS.train, torch.arange(20))
    assert finetune(encoder(), few, QUICK).head.out_features == 10  # fewer than a batch


def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = finetune(encoder(), DIGITS.train, QUICK, out=tmp_path / "whole")

    class Killed(Exception):
        pass

    class Killer(data.ArrayImages):
        def __getitem__(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            if (tmp_path / "killed" / "checkpoints" / "last.ckpt").exists():
                raise Killed
            return super().__getitem__(indices)

    images = Killer(DIGITS.train.images, DIGITS.train.labels, DIGITS.train.class_names)
    with pytest.raises(Killed):
        finetune(encoder(), images, QUICK, out=tmp_path / "killed", checkpoint_every=2)
    resumed = finetune(encoder(), DIGITS.train, QUICK, out=tmp_path / "killed", resume=True)
    assert weights(resumed).equal(weights(whole))
    again = finetune(encoder(), DIGITS.train, QUICK, out=tmp_path / "killed", resume=True)
    assert weights(again).equal(weights(whole)) and weights(encoders.features(tmp_path / "whole")).equal(weights(whole))


def test_augmentation_brings_images_to_the_encoders_size() -> None:
    assert FinetuneOptions().augment(encoder(image_size=20), (1, 8, 8))(torch.rand(2, 1, 8, 8)).shape == (2, 1, 20, 20)
    assert FinetuneOptions().augment(encoder(), (3, 8, 8)).recipe.flip == 0.5
    assert FinetuneOptions().augment(encoder(), (1, 8, 8)).recipe.flip == 0.0
    assert FinetuneOptions(augmentation="simclr").augment(encoder(), (3, 8, 8)).recipe.grayscale


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": ()}, "lr is 0; it must be positive"),
        ({"lr": (0.1, -1.0)}, r"lr is -1\.0"),
        ({"weight_decay": (-1e-4,)}, "weight_decay is .* not negative"),
        ({"weight_decay": ()}, "weight_decay is .* one or more"),
        ({"steps": 0}, "steps is 0"),
        ({"head": 0.0}, r"head is 0\.0"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        FinetuneOptions(**options)


def test_divergence_is_an_error() -> None:
    with pytest.raises(NonFiniteError, match="lower the learning rate"):
        finetune(encoder(), DIGITS.train, replace(QUICK, steps=30), lr=1e30)
