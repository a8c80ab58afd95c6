"""The protocol of fine-tuning: which labels it sees, what chooses its settings, and what it reports."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from reference.weights import weights
from torch import nn

from genviews import data, encoders, training
from genviews.data import ArrayImages, Joined, Splits, Subset, extract
from genviews.errors import DataError, OptionError
from genviews.evaluation import finetune
from genviews.evaluation.finetuning import _labelled
from genviews.training import FinetuneOptions

DIGITS = data.load("digits")
OFFICIAL = Splits(DIGITS.train.subset(torch.arange(900)), DIGITS.test, DIGITS.train.subset(torch.arange(900, 1437)))
QUICK = FinetuneOptions(steps=6, batch_size=32, lr=(0.001, 0.1), weight_decay=(0.0, 1e-3))


@pytest.fixture
def encoder() -> encoders.Encoder:
    torch.manual_seed(0)
    return encoders.Encoder(in_channels=1, width=8).eval()


def permuted(images: ArrayImages) -> ArrayImages:
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
    return replace(images, labels=images.labels[order])


def test_the_best_of_the_grid_is_trained_again_on_everything(encoder: encoders.Encoder, tmp_path: Path) -> None:
    options = replace(QUICK, steps=25)
    result = finetune(encoder, OFFICIAL, options, out=tmp_path)
    scores = {}
    for lr in options.lr:
        for decay in options.weight_decay:
            found = training.finetune(encoder, OFFICIAL.train, options, lr=lr, weight_decay=decay)
            logits, labels = extract(nn.Sequential(found.body, found.head), OFFICIAL.validation, progress=False)
            likelihood = logits.log_softmax(1)[torch.arange(len(labels)), labels].mean()
            scores[lr, decay] = float((logits.argmax(1) == labels).float().mean()), float(likelihood)
    assert [pytest.approx(score, abs=1e-5) for score in json.loads((tmp_path / "grid.json").read_text()).values()] == [
        list(score) for score in scores.values()
    ]
    best = max(scores, key=scores.__getitem__)
    assert (result.settings["lr"], result.settings["weight_decay"]) == best and best[0] == 0.1
    everything = Joined(OFFICIAL.train, OFFICIAL.validation)
    final = training.finetune(encoder, everything, options, lr=best[0], weight_decay=best[1])
    logits, labels = extract(nn.Sequential(final.body, final.head), DIGITS.test, progress=False)
    assert result.top1 == pytest.approx(float((logits.argmax(1) == labels).float().mean()))
    assert result.settings["labelled"] == 1437 and result.n == 360
    kept = encoders.features(tmp_path)
    assert weights(kept).equal(weights(final))
    assert not list(tmp_path.glob("lr-*"))


def test_test_labels_do_not_enter_the_choice(encoder: encoders.Encoder, tmp_path: Path) -> None:
    results = []
    for name, test in (("true", DIGITS.test), ("permuted", permuted(DIGITS.test))):
        results.append(finetune(encoder, Splits(DIGITS.train, test), QUICK, labels_per_class=10, out=tmp_path / name))
    assert results[0].settings == results[1].settings and results[0].top1 > results[1].top1
    for file in ("grid.json", "model.safetensors"):
        assert (tmp_path / "true" / file).read_bytes() == (tmp_path / "permuted" / file).read_bytes()


def test_the_labels_are_balanced_and_those_to_choose_by_are_among_them() -> None:
    images, held = _labelled(OFFICIAL, 0.1, None, QUICK)
    assert isinstance(images, Subset) and images.images is OFFICIAL.train  # no label of the validation part
    shares = images.labels.bincount() / OFFICIAL.train.labels.bincount()
    assert len(images) == pytest.approx(90, abs=5) and (shares - 0.1).abs().max() < 0.01
    assert images.labels[held].bincount(minlength=10).tolist() == [2] * 10 and len(held) == len(images)
    again, other = (_labelled(OFFICIAL, 0.1, None, replace(QUICK, seed=seed))[0].indices for seed in (0, 1))
    assert again.equal(images.indices) and not other.equal(images.indices)
    assert _labelled(OFFICIAL, 1e-6, None, QUICK)[0].labels.bincount().tolist() == [1] * 10
    assert _labelled(OFFICIAL, None, 3, QUICK)[0].labels.bincount().tolist() == [3] * 10
    images, held = _labelled(OFFICIAL, None, None, QUICK)
    rows = torch.tensor([0, 1436, 899, 900])
    assert images[rows][0].equal(DIGITS.train.images[rows]) and images[rows][1].equal(DIGITS.train.labels[rows])
    assert held.nonzero()[:, 0].tolist() == list(range(900, 1437))
    images, held = _labelled(DIGITS, None, None, QUICK)
    assert images is DIGITS.train and 0.19 < held.float().mean() < 0.21


def test_one_label_a_class_leaves_nothing_to_choose_by(encoder: encoders.Encoder) -> None:
    result = finetune(encoder, DIGITS, QUICK, labels_per_class=1)
    assert (result.settings["lr"], result.settings["labelled"]) == (0.001, 10)


def test_a_rate_that_diverges_is_passed_over(encoder: encoders.Encoder) -> None:
    result = finetune(encoder, DIGITS, replace(QUICK, lr=(1e30, 0.1), weight_decay=(0.0,)), fraction=0.1)
    assert result.settings["lr"] == 0.1


def test_a_killed_run_goes_on_to_the_same_result(
    encoder: encoders.Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = finetune(encoder, DIGITS, QUICK, fraction=0.1, out=tmp_path / "whole")
    trained = []
    real = training.finetune

    def counted(*args: object, **options: object) -> object:
        trained.append(options["description"])
        if len(trained) == 3:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(training, "finetune", counted)
    with pytest.raises(KeyboardInterrupt):
        finetune(encoder, DIGITS, QUICK, fraction=0.1, out=tmp_path / "killed")
    assert finetune(encoder, DIGITS, QUICK, fraction=0.1, out=tmp_path / "killed", resume=True) == whole
    assert trained[3:] == ["lr-0.1-decay-0", "lr-0.1-decay-0.001", "fine-tuning"]  # the first two were done
    for file in ("grid.json", "model.safetensors"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "killed" / file).read_bytes()


def test_bad_input_is_refused(encoder: encoders.Encoder) -> None:
    with pytest.raises(OptionError, match=r"fraction is 0\.1 and labels_per_class 3; give one of them"):
        finetune(encoder, DIGITS, QUICK, fraction=0.1, labels_per_class=3)
    with pytest.raises(OptionError, match=r"fraction is 2\.0"):
        finetune(encoder, DIGITS, QUICK, fraction=2.0)
    with pytest.raises(DataError, match="5000 labels a class"):
        finetune(encoder, DIGITS, QUICK, labels_per_class=5000)
    with pytest.raises(OptionError, match=r"validation is 0\.0"):
        finetune(encoder, DIGITS, replace(QUICK, validation=0.0))
    unlabelled = replace(DIGITS.train, labels=torch.full_like(DIGITS.train.labels, -1))
    with pytest.raises(DataError, match="train has images without a label"):
        finetune(encoder, Splits(unlabelled, DIGITS.test), QUICK)
    more = replace(DIGITS.test, labels=DIGITS.test.labels + 1)
    with pytest.raises(DataError, match="test holds class 10, of which train has no sample"):
        finetune(encoder, Splits(DIGITS.train, more), QUICK)
    with pytest.raises(DataError, match="validation holds class 10"):
        finetune(encoder, Splits(DIGITS.train, DIGITS.test, more), QUICK)
