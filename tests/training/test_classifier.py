from dataclasses import replace
from pathlib import Path

import pytest
import torch

from genviews import data
from genviews.data import ArrayImages, Splits, extract
from genviews.encoders import features
from genviews.errors import DataError
from genviews.training import ClassifierOptions, train_classifier

DIGITS = data.load("digits")
OPTIONS = ClassifierOptions(steps=60, batch_size=64)


def test_a_classifier_learns_and_names_its_accuracy(tmp_path: Path) -> None:
    found = train_classifier(DIGITS, OPTIONS, name="digits", out=tmp_path)
    outputs, labels = extract(found, DIGITS.test, progress=False)
    accuracy = float((found.head(outputs).argmax(1) == labels).float().mean())
    assert accuracy > 0.93
    assert found.name == f"conv-small classifier of digits, {accuracy:.1%} test accuracy"
    assert not found.training and not any(p.requires_grad for p in found.parameters())

    kept, resumed = features(tmp_path), train_classifier(DIGITS, OPTIONS, out=tmp_path, resume=True)
    for again in (kept, resumed):
        assert again.name == found.name
        assert extract(again, DIGITS.test, progress=False)[0].equal(outputs)


def test_the_seed_makes_the_classifier() -> None:
    images = torch.rand(8, 1, 8, 8)
    few = replace(OPTIONS, steps=3)
    first, again, other = (train_classifier(DIGITS, replace(few, seed=seed))(images) for seed in (1, 1, 2))
    assert first.equal(again) and not first.allclose(other)


def test_data_without_labels_are_refused_with_the_remedy() -> None:
    images = DIGITS.test.images
    for labels in (torch.full((360,), -1), torch.zeros(360).long()):
        part = ArrayImages(images, labels, ())
        with pytest.raises(DataError, match=r"no labels of two or more classes .* name other features, such as FID's Inception"):
            train_classifier(Splits(part, part))


def test_fewer_images_than_a_batch_suffice() -> None:
    few = DIGITS.train.subset(torch.arange(40))
    assert "classifier of the data" in train_classifier(Splits(few, few), replace(OPTIONS, steps=2)).name
