"""Out of distribution: what a trial may see, and what it reports."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from genviews import data, encoders, metrics
from genviews.data import ArrayImages, DomainImages, extract
from genviews.errors import OptionError
from genviews.evaluation import ood
from genviews.evaluation.ood import leave_out, probe_out
from genviews.training import FinetuneOptions

DIGITS = data.load("digits").train


def domains(count: int = 3, images: int = 420) -> DomainImages:
    """Digits as they are, inverted, turned round: few enough to be hard."""
    part = DIGITS.subset(torch.arange(images))
    of = torch.arange(images) % count
    looks = (part.images, 255 - part.images, part.images.flip(2, 3), part.images // 3)
    pixels = torch.stack(looks[:count], 1)[torch.arange(images), of]
    return DomainImages(ArrayImages(pixels, part.labels, part.class_names), of, ("as-is", "inverted", "turned", "dark")[:count])


@pytest.fixture
def encoder() -> encoders.Encoder:
    torch.manual_seed(0)
    return encoders.Encoder(in_channels=1, width=8).eval()


def test_nothing_of_the_domain_held_out_is_learnt_from_or_chosen_by() -> None:
    found = domains()
    for domain in range(3):
        train, test, validation = leave_out(found, domain, seed=1)
        assert (found.domains[test] == domain).all() and len(test) == 140
        assert (found.domains[torch.cat([train, validation])] != domain).all()
        assert torch.cat([train, test, validation]).sort().values.equal(torch.arange(420))
        groups = (found.domains * 10 + found.labels)[validation].bincount(minlength=30)
        every = (found.domains * 10 + found.labels).bincount(minlength=30)
        assert all(abs(part - 0.2 * whole) <= 0.5 for part, whole in zip(groups.tolist(), every.tolist(), strict=True) if part)


def test_a_trial_has_a_split_of_its_own_and_always_the_same() -> None:
    found = domains()
    first, again, other = (leave_out(found, 0, seed).validation for seed in (0, 0, 1))
    assert first.equal(again) and not first.equal(other)
    shared = leave_out(found, 1, 0).validation
    assert first[found.domains[first] == 2].equal(shared[found.domains[shared] == 2])


def test_labels_held_out_change_the_score_alone(encoder: encoders.Encoder) -> None:
    found = domains()
    wrong = found.labels.clone()
    wrong[found.domains == 1] = wrong[found.domains == 1].flip(0)
    lied = DomainImages(ArrayImages(found.images.images, wrong, found.class_names), found.domains, found.domain_names)
    features, _ = extract(encoder, found.images)
    true, false = (probe_out(features, images, 1, 0) for images in (found, lied))
    assert true.settings == false.settings and true.top1 != false.top1


def test_each_domain_is_probed_in_each_trial(encoder: encoders.Encoder) -> None:
    found = domains()
    table = ood(encoder, found, trials=2, seed=5)
    features, labels = extract(encoder, found.images)
    for domain, row in enumerate(table.domains):
        for trial, result in enumerate(row.trials):
            train, test, validation = ((features[p], labels[p]) for p in leave_out(found, domain, 5 + trial))
            assert result == metrics.linear_probe(train, test, validation=validation, refit=False)
    top1 = torch.tensor([[result.top1 for result in row.trials] for row in table.domains])
    assert [row.mean for row in table.domains] == pytest.approx(top1.mean(1).tolist())
    assert [row.std for row in table.domains] == pytest.approx(top1.std(1).tolist())
    assert (table.average, table.std) == pytest.approx((float(top1.mean()), float(top1.mean(0).std())))
    assert ood(encoder, found, trials=2, seed=5) == table
    assert top1.std() > 0 and table.average > 0.15


def test_fine_tuning_learns_from_the_other_domains(encoder: encoders.Encoder, tmp_path: Path) -> None:
    options = FinetuneOptions(steps=3, batch_size=32, lr=(0.1,), weight_decay=(0.0,))
    table = ood(encoder, domains(), options, trials=1, out=tmp_path)
    assert {path.parent.name for path in tmp_path.glob("*/model.json")} == {"as-is-0", "inverted-0", "turned-0"}
    assert [row.trials[0].settings["labelled"] for row in table.domains] == [280] * 3
    assert ood(encoder, domains(), options, trials=1, out=tmp_path, resume=True) == table


def test_the_table_and_its_json(encoder: encoders.Encoder) -> None:
    table = ood(encoder, domains(), trials=1)
    lines = table.markdown().splitlines()
    assert lines[2] == f"| as-is | {100 * table.domains[0].mean:.2f} | 0.00 | 140 |" and len(lines) == 6
    assert lines[5].startswith(f"| average | {100 * table.average:.2f} | 0.00 |")
    assert json.loads(json.dumps(asdict(table), allow_nan=False))["average"] == table.average


def test_no_trials_are_refused(encoder: encoders.Encoder) -> None:
    with pytest.raises(OptionError, match="trials is 0; it must be positive"):
        ood(encoder, domains(), trials=0)
