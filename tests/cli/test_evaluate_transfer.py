"""`genviews evaluate finetune` and `transfer`, on data that come with the package."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from genviews import data, encoders, evaluation
from genviews.cli import main
from genviews.training import FinetuneOptions


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    encoders.save(encoders.Encoder(in_channels=1, width=8), Path("encoder"))
    return tmp_path


OPTIONS = "--steps 4 --batch_size 32 --lr [0.01,0.1] --weight_decay [0.0] --seed 1"
SETTINGS = FinetuneOptions(steps=4, batch_size=32, lr=(0.01, 0.1), weight_decay=(0.0,), seed=1)


def test_finetune(capsys: pytest.CaptureFixture[str]) -> None:
    line = f"evaluate finetune encoder digits --fraction 0.1 --image_size 12 --out run {OPTIONS}"
    assert main(line.split()) == 0
    expected = evaluation.finetune(encoders.load("encoder"), data.load("digits", 12), SETTINGS, fraction=0.1)
    first, last = capsys.readouterr().out.splitlines()
    chosen = f"lr {expected.settings['lr']:g}, weight decay 0"
    assert first == f"top-1 {expected.top1:.2%} with {expected.settings['labelled']} labels ({chosen}), 360 test images"
    assert last == "run"
    written = json.loads(Path("run/results.json").read_text())
    assert written == json.loads(json.dumps(asdict(expected)))
    assert encoders.features("run").head.out_features == 10
    assert main(line.split()) == 2
    assert "holds a run already; go on with it by --resume" in capsys.readouterr().err
    assert main([*line.split(), "--resume"]) == 0
    assert json.loads(Path("run/results.json").read_text()) == written


def test_transfer(capsys: pytest.CaptureFixture[str]) -> None:
    digits = data.load("digits")
    np.savez("few.npz", images=digits.train.images[:200, 0].numpy(), labels=digits.train.labels[:200].numpy())
    sets = {"digits": digits, "few": data.load("few.npz")}
    encoder = encoders.load("encoder")
    for line, expected in {
        "--out linear --per_class [few]": evaluation.transfer(encoder, sets, per_class=["few"]),
        f"--out tuned --protocol finetune {OPTIONS}": evaluation.transfer(encoder, sets, SETTINGS),
    }.items():
        assert main(f"evaluate transfer encoder [digits,few.npz] {line}".split()) == 0
        out = Path(line.split()[1])
        assert capsys.readouterr().out == f"{expected.markdown()}\n{out}\n"
        assert (out / "table.md").read_text() == expected.markdown() + "\n"
        assert json.loads((out / "results.json").read_text()) == json.loads(json.dumps(asdict(expected)))


def test_two_sets_of_one_name_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "transfer", "encoder", "[digits,digits]"]) == 2
    assert "data are digits, digits, of which two have one name" in capsys.readouterr().err
