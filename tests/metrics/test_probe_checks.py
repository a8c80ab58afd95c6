import json
from dataclasses import asdict

import pytest
import torch
from sklearn.metrics import top_k_accuracy_score

from genviews.errors import DataError, OptionError
from genviews.metrics import few_label
from genviews.metrics.classification import (
    average,
    check_labelled,
    class_fraction,
    classify,
    held_out,
    ranks_within_class,
    wilson,
)


def test_accuracies_are_scikit_learns() -> None:
    rng = torch.Generator().manual_seed(0)
    scores, labels = torch.randn(200, 8, generator=rng), torch.randint(8, (200,), generator=rng)
    result = classify(scores, labels)
    assert result.top1 == pytest.approx(top_k_accuracy_score(labels, scores, k=1))
    assert result.top5 == pytest.approx(top_k_accuracy_score(labels, scores, k=5))
    for c, accuracy in enumerate(result.per_class):
        assert accuracy == pytest.approx((scores[labels == c].argmax(1) == c).float().mean().item())
    assert result.n == 200


def test_ties_go_to_the_smaller_class_and_an_impossible_class_is_never_right() -> None:
    inf = float("inf")
    scores = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, -inf, -inf]])
    result = classify(scores, torch.tensor([0, 1, 1]))
    assert result.per_class == [1.0, 0.0, None]
    assert result.top1 == pytest.approx(1 / 3)
    assert result.top5 == pytest.approx(2 / 3)


def test_wilson_interval_is_the_published_one() -> None:
    low, high = wilson(0.81, 100)  # 81 of 100
    assert (low, high) == pytest.approx((0.7222, 0.8749), abs=1e-4)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


def test_average_keeps_the_spread_and_is_json() -> None:
    labels = torch.tensor([0, 1, 3])
    results = [classify(torch.eye(4)[torch.tensor(guess)], labels, l2=0.1) for guess in ([0, 1, 3], [0, 0, 0])]
    mean = average(results, draws=2)
    assert mean.top1 == pytest.approx(2 / 3)
    assert mean.spread == pytest.approx((2 / 9) ** 0.5)
    assert mean.per_class == [1.0, 0.5, None, 0.5]
    assert json.loads(json.dumps(asdict(mean), allow_nan=False))["settings"] == {"draws": 2}


def test_few_labels_are_balanced_nested_and_drawn_from_the_seed() -> None:
    labels = torch.tensor([2, 0, 5])[torch.randint(3, (300,), generator=torch.Generator().manual_seed(0))]
    three, ten = few_label(labels, 3, seed=4), few_label(labels, 10, seed=4)
    assert labels[three].bincount().tolist() == [3, 0, 3, 0, 0, 3]
    assert set(three.tolist()) < set(ten.tolist())
    assert three.equal(few_label(labels, 3, seed=4))
    assert not three.equal(few_label(labels, 3, seed=5))


def test_a_fraction_of_each_class_is_drawn_nested_and_at_least_one() -> None:
    labels = torch.tensor([0] * 300 + [2] * 40 + [3])[torch.randperm(341, generator=torch.Generator().manual_seed(0))]
    few, more = class_fraction(labels, 0.01, seed=4), class_fraction(labels, 0.1, seed=4)
    assert labels[few].bincount().tolist() == [3, 0, 1, 1] and labels[more].bincount().tolist() == [30, 0, 4, 1]
    assert set(few.tolist()) < set(more.tolist()) and few.equal(class_fraction(labels, 0.01, seed=4))
    assert not more.equal(class_fraction(labels, 0.1, seed=5))
    assert class_fraction(labels, 1.0).tolist() == list(range(341))
    for fraction in (0.0, 1.1):
        with pytest.raises(OptionError, match=f"fraction is {fraction}; label a fraction above 0 and at most 1"):
            class_fraction(labels, fraction)


def test_a_part_of_each_class_is_held_out_but_never_all_of_it() -> None:
    labels = torch.tensor([0] * 50 + [1] * 2 + [3])
    held = held_out(labels, 0.2, seed=1)
    assert labels[held].bincount(minlength=4).tolist() == [10, 1, 0, 0]
    assert not held.equal(held_out(labels, 0.2, seed=2)) and labels[~held_out(labels, 0.99)].unique().tolist() == [0, 1, 3]


def test_the_mean_per_class_weighs_rare_classes_as_common_ones() -> None:
    labels = torch.tensor([0] * 9 + [2])
    result = classify(torch.tensor([[1.0, 0.0, 0.0]]).repeat(10, 1), labels)
    assert result.top1 == 0.9 and result.mean_per_class == 0.5


def test_every_sample_of_a_class_is_drawn_about_equally_often() -> None:
    labels = torch.arange(20) % 2
    counts = torch.stack([(ranks_within_class(labels, seed) < 5).long() for seed in range(400)]).sum(0)
    assert counts.sum() == 400 * 10
    assert 150 < counts.min() <= counts.max() < 250  # 200 expected, standard deviation 10


@pytest.mark.parametrize("per_class", [0, 3])
def test_few_labels_refuse_what_a_class_has_not(per_class: int) -> None:
    with pytest.raises(DataError, match=f"{per_class} labels a class .* class 1 has 2 samples; ask for 1 to 2"):
        few_label(torch.tensor([0, 0, 0, 1, 1]), per_class)


GOOD = torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ((torch.zeros(4, 3), torch.zeros(3).long()), GOOD, r"train holds features \(4, 3\) and labels \(3,\)"),
        ((torch.zeros(4, 3, 1), GOOD[1]), GOOD, r"train holds features \(4, 3, 1\)"),
        (GOOD, (torch.zeros(0, 3), torch.zeros(0).long()), "test holds .* N > 0"),
        (GOOD, (torch.zeros(4, 2), GOOD[1]), "train features have 3 dimensions, test features 2"),
        ((GOOD[0], torch.tensor([0.0, 1.0, 2.0, 0.0])), GOOD, "train holds torch.float32 labels"),
        ((GOOD[0], torch.tensor([0, 1, 2, -1])), GOOD, "labels from -1"),
        (GOOD, (GOOD[0].index_fill(0, torch.tensor(2), torch.nan), GOOD[1]), "test features have a NaN .* row 2"),
        ((GOOD[0], torch.full((4,), 7)), GOOD, "train holds only class 7"),
        (GOOD, (GOOD[0], torch.tensor([0, 1, 2, 3])), "test holds class 3"),
    ],
)
def test_unusable_features_are_refused(train: tuple, test: tuple, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_labelled(train, test)
