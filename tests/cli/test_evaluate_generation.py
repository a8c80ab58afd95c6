"""`genviews evaluate generation`, on the generator and the data that come with the package."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from genviews import data, encoders, evaluation, generators, training
from genviews.cli import main


def test_the_result_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoders.save(encoders.Encoder(in_channels=1, width=4), tmp_path / "encoder")
    found = encoders.features(tmp_path / "encoder")
    expected = evaluation.generation(
        generators.load("digits-flow"), data.load("digits"), found, samples=200, truncation=0.9, seed=1, batch_size=64
    )
    out = tmp_path / "results" / "a.json"
    options = f"--features {tmp_path / 'encoder'} --samples 200 --truncation 0.9 --seed 1 --batch_size 64 --out {out}"
    assert main(f"evaluate generation digits-flow digits {options}".split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        f"FID                   {expected.fid:.4g} (200 samples against 360 test images; "
        f"features: conv-small encoder {tmp_path / 'encoder'})"
    )
    assert lines[1] == f"precision, recall     {expected.precision:.3f}, {expected.recall:.3f}"
    assert [line[:22].strip() for line in lines[2:]] == ["bits per dimension", "reconstruction error"]
    assert json.loads(out.read_text()) == asdict(expected)


def test_data_come_at_the_generators_size_and_without_labels_need_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = data.load("digits", 16)
    np.savez(tmp_path / "unlabelled.npz", images=digits.train.images[:, 0].numpy())
    assert main(["evaluate", "generation", "digits-flow", str(tmp_path / "unlabelled.npz")]) == 2
    assert "name other features" in capsys.readouterr().err
    encoders.save(encoders.Encoder(in_channels=1, width=4), tmp_path / "encoder")
    line = ["evaluate", "generation", "digits-flow", str(tmp_path / "unlabelled.npz"), "--samples", "50", "--features"]
    assert main([*line, str(tmp_path / "encoder")]) == 0
    assert "(50 samples against 288 test images" in capsys.readouterr().out


def test_a_classifier_of_the_data_is_trained_where_no_features_are_given(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "ClassifierOptions", partial(training.ClassifierOptions, steps=60))
    assert main(["evaluate", "generation", "digits-flow", "digits", "--samples", "150"]) == 0
    out = capsys.readouterr().out
    assert "features: conv-small classifier of digits, 9" in out and "inception score" in out


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "generation", "--help"])
    assert "genviews evaluate generation G.pt mnist --features lenet.pt --samples 5000" in capsys.readouterr().out
