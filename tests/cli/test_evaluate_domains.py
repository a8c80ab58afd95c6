"""`genviews evaluate ood` and `zoo`, on digits in three looks."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from genviews import data, encoders, evaluation
from genviews.cli import main
from genviews.evaluation import ZooOptions
from genviews.training import FinetuneOptions


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    for name in ("one", "two"):
        encoders.save(encoders.Encoder(in_channels=1, width=4), Path("zoo") / name)
    digits = data.load("digits").train
    images, of = digits.images[:240, 0].clone(), torch.arange(240) % 3
    images[of == 1] = 255 - images[of == 1]
    images[of == 2] = images[of == 2].flip(1)
    arrays = {"images": images, "labels": digits.labels[:240] % 4, "domains": of}
    np.savez(
        "looks.npz",
        **{name: array.numpy() for name, array in arrays.items()},
        domain_names=np.array(["as-is", "inverted", "turned"]),
    )
    return tmp_path


def test_ood(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "ood", "zoo/one", "looks.npz", "--trials", "2", "--seed", "3", "--out", "run"]) == 0
    expected = evaluation.ood(encoders.load("zoo/one"), data.domains("looks.npz"), trials=2, seed=3)
    assert capsys.readouterr().out == f"{expected.markdown()}\nrun/report.html\n"
    written = json.loads(Path("run/results.json").read_text())
    assert {key: written[key] for key in asdict(expected)} == json.loads(json.dumps(asdict(expected)))
    page = Path("run/report.html").read_text()
    assert page.count("<svg") == 1 and "inverted" in page and f"{100 * expected.domains[1].mean:.2f} ±" in page
    assert main(["evaluate", "ood", "zoo/one", "looks.npz", "--trials", "2", "--seed", "3", "--out", "run", "--resume"]) == 0


def test_ood_by_fine_tuning() -> None:
    options = "--protocol finetune --trials 1 --steps 2 --batch_size 32 --lr [0.1] --weight_decay [0.0]"
    assert main(f"evaluate ood zoo/one looks.npz {options} --out run".split()) == 0
    settings = FinetuneOptions(steps=2, batch_size=32, lr=(0.1,), weight_decay=(0.0,))
    expected = evaluation.ood(encoders.load("zoo/one"), data.domains("looks.npz"), settings, trials=1)
    assert json.loads(Path("run/results.json").read_text())["average"] == expected.average
    assert "zoo/one, fine-tuned with a linear head" in Path("run/report.html").read_text()


def test_zoo(capsys: pytest.CaptureFixture[str]) -> None:
    line = "evaluate zoo [zoo/one,zoo/two,conv-small] looks.npz --top 2 --trials 1 --out run"
    assert main(line.split()) == 0
    out = capsys.readouterr().out
    images = data.domains("looks.npz")
    features = {name: evaluation.encode(name, encoders.load(f"zoo/{name}"), images) for name in ("one", "two")}
    features["conv-small"] = evaluation.encode("conv-small", encoders.published("conv-small")[0], images)
    expected = evaluation.zoo(features, images, ZooOptions(top=2, trials=1))
    written = json.loads(Path("run/results.json").read_text())
    assert {key: written[key] for key in asdict(expected)} == json.loads(json.dumps(asdict(expected)))
    assert written["encoders"]["one"] == {"source": "zoo/one", "weights": "its own", "features": 16}
    assert f"{'their selected features':<24}{100 * expected.selection:.2f} %" in out
    assert Path("run/table.md").read_text() in out and "conv-small (random weights)" in out
    page = Path("run/report.html").read_text()
    assert page.count("<svg") == 3 and "A zoo of 3 encoders on looks.npz" in page and "random weights" in page
    kept = {path: path.stat().st_mtime_ns for path in Path("run/features").iterdir()}
    assert len(kept) == 3 and main([*line.split(), "--resume"]) == 0
    assert kept == {path: path.stat().st_mtime_ns for path in Path("run/features").iterdir()}


def test_a_folder_of_encoders_is_a_zoo() -> None:
    assert main(["evaluate", "zoo", "zoo", "looks.npz", "--trials", "1", "--out", "run"]) == 0
    assert {*json.loads(Path("run/results.json").read_text())["encoders"]} == {"one", "two"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("zoo [zoo/one,zoo/one] looks.npz", "encoders are zoo/one, zoo/one, of which two have one name; rename one"),
        ("zoo zoo/one looks.npz", "zoo/one holds no folders of encoders; give such a folder, or a list"),
        ("zoo [zoo/one,resnet8] looks.npz", "backbone 'resnet8' is neither conv-small, disco nor a timm model"),
        ("zoo [zoo/one] looks.npz", "the zoo holds one; a ranking takes two or more"),
        ("ood zoo/one nowhere", "data 'nowhere' is no folder, zip archive or npz file that exists"),
        ("ood zoo/one looks.npz --trials 0", "trials is 0; it must be positive"),
        ("ood zoo/one looks.npz --steps 9", "protocol is 'linear', which takes no options of fine-tuning but the seed"),
        ("ood nothing looks.npz", "nothing/model.json is missing"),
    ],
)
def test_bad_input_is_one_line(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(f"evaluate {line}".split()) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
