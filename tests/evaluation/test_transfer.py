"""Transfer: one protocol on several data sets, each by its own metric."""

import json
from dataclasses import asdict
from statistics import fmean

import pytest
import torch

from genviews import data, encoders, metrics
from genviews.data import ArrayImages, Splits, extract
from genviews.errors import OptionError
from genviews.evaluation import finetune, linear, probe, transfer
from genviews.training import FinetuneOptions

DIGITS = data.load("digits")


def unbalanced(images: ArrayImages) -> ArrayImages:
    """Few of the small digits."""
    return images.subset(((images.labels > 4) | (torch.arange(len(images)) % 5 == 0)).nonzero()[:, 0])


OFFICIAL = Splits(
    unbalanced(DIGITS.train.subset(torch.arange(700))), unbalanced(DIGITS.test), DIGITS.train.subset(torch.arange(700, 1437))
)
SETS = {"digits": DIGITS, "pets": OFFICIAL}


@pytest.fixture
def encoder() -> encoders.Encoder:
    torch.manual_seed(0)
    return encoders.Encoder(in_channels=1, width=8).eval()


def test_each_data_set_is_scored_by_its_metric_and_averaged(encoder: encoders.Encoder) -> None:
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    table = transfer(encoder, SETS, seed=3)
    digits, pets = table.rows
    assert digits.result == linear(encoder, DIGITS, seed=3) and digits.metric == "top-1" and digits.score == digits.result.top1
    assert pets.result == linear(encoder, OFFICIAL, seed=3) and pets.metric == "mean per class"
    per_class = [accuracy for accuracy in pets.result.per_class if accuracy is not None]
    assert pets.score == pytest.approx(sum(per_class) / 10) and abs(pets.score - pets.result.top1) > 0.01
    assert table.average == pytest.approx((digits.score + pets.score) / 2)
    assert all(tensor.equal(before[name]) for name, tensor in encoder.state_dict().items())
    swapped = transfer(encoder, SETS, seed=3, per_class=["digits"])
    assert [row.metric for row in swapped.rows] == ["mean per class", "top-1"] and swapped.rows[1].score == pets.result.top1


def test_the_official_validation_part_chooses_and_joins(encoder: encoders.Encoder) -> None:
    train, validation, test = (extract(encoder, part) for part in (OFFICIAL.train, OFFICIAL.validation, OFFICIAL.test))
    assert linear(encoder, OFFICIAL) == metrics.linear_probe(train, test, validation=validation)
    assert probe(encoder, OFFICIAL, ("linear", "knn-5"))["linear"] == linear(encoder, OFFICIAL)
    few = linear(encoder, OFFICIAL, labels_per_class=3, draws=2)
    assert few == metrics.few_label_probe(train, test, 3, draws=2)  # whose labels are the training part's


def test_fine_tuning_runs_over_the_list(encoder: encoders.Encoder, tmp_path) -> None:
    options = FinetuneOptions(steps=4, batch_size=32, lr=(0.1,), weight_decay=(0.0,))
    table = transfer(encoder, SETS, options, out=tmp_path)
    assert [row.result for row in table.rows] == [finetune(encoder, splits, options) for splits in SETS.values()]
    assert {path.parent.name for path in tmp_path.glob("*/model.json")} == {"digits", "pets"}
    assert table == transfer(encoder, SETS, options, out=tmp_path, resume=True)


def test_the_table_and_its_json(encoder: encoders.Encoder) -> None:
    table = transfer(encoder, SETS)
    lines = table.markdown().splitlines()
    assert lines[0].startswith("| data | metric | % |") and len(lines) == 5
    assert lines[3].startswith(f"| pets | mean per class | {100 * table.rows[1].score:.2f} | {len(OFFICIAL.test)} | l2 ")
    assert lines[4] == f"| average |  | {100 * table.average:.2f} |  |  |"
    written = json.loads(json.dumps(asdict(table), allow_nan=False))
    assert written["average"] == pytest.approx(fmean(row["score"] for row in written["rows"]))


def test_bad_lists_are_refused(encoder: encoders.Encoder) -> None:
    with pytest.raises(OptionError, match="there are no data sets"):
        transfer(encoder, {})
    with pytest.raises(OptionError, match="per_class names 'birds', which is none of the data sets digits, pets"):
        transfer(encoder, SETS, per_class=["pets", "birds"])
