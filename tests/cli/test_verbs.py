"""Commands that run, on the generator and the data that come with the package."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from genviews import data, encoders, evaluation, generators
from genviews.cli import main
from genviews.generators import Glow, StyleGAN2
from genviews.latents import Navigator, save
from genviews.views import CopGenFolder, Store


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(line: str) -> None:
    assert main(line.split()) == 0


def test_generator_info(capsys: pytest.CaptureFixture[str]) -> None:
    run("generator info digits-flow")
    out = capsys.readouterr().out
    assert out.startswith("RealNVP: latents (64,) -> images (1, 8, 8), unconditional, ")
    assert out.endswith(" parameters\nencodes images; has a likelihood\n")


def test_generator_convert(capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({f"module.{name}": tensor for name, tensor in Glow((1, 8, 8), 1, 1, 4).state_dict().items()}, "model.pt")
    run("generator convert model.pt flow --options.image_size 16 --options.levels 256")
    assert capsys.readouterr().out == "flow\n"
    flow = generators.load("flow")
    assert isinstance(flow, Glow) and flow.image_shape == (1, 16, 16) and flow.levels == 256


def test_generator_train(capsys: pytest.CaptureFixture[str]) -> None:
    line = "generator train --steps 6 --batch_size 32 --every 3 --samples 100 --architecture.levels 17 --log_every 1 --out run"
    run(line)
    assert capsys.readouterr().out.split() == ["run/report.html", "run"]
    assert {"model.json", "config.yaml", "report.html", "metrics.csv"} <= {path.name for path in Path("run").iterdir()}
    assert generators.load("run").config["levels"] == 17
    page = Path("run/report.html").read_text()
    assert "step 6" in page and "FID" in page and "conv-small classifier of digits" in page
    run("evaluate generation run digits --features run/features --samples 50")
    assert "features: conv-small classifier of digits" in capsys.readouterr().out
    before = Path("run/model.safetensors").read_bytes()
    run(f"{line} --resume")
    assert Path("run/model.safetensors").read_bytes() == before


def test_a_generator_learns_augmented_images() -> None:
    short = "--steps 2 --batch_size 4 --samples 20 --features none --architecture.latent_dim 8 --image_size 16"
    for probability in (0, 0.9):
        options = f"--gan.augment expert --gan.augment_probability {probability}"
        run(f"generator train --family stylegan2 {options} {short} --out {probability}")
    assert "augment: expert" in Path("0.9/config.yaml").read_text()
    assert isinstance(generators.load("0.9"), StyleGAN2)
    metrics = [Path(f"{probability}/metrics.csv").read_text() for probability in (0, 0.9)]
    assert metrics[0] != metrics[1]


def test_generator_sample(capsys: pytest.CaptureFixture[str]) -> None:
    for name, options in {
        "a": "--count 6",
        "again": "--count 6",
        "b": "--count 6 --seed 1",
        "psi": "--count 6 --truncation 0.3",
    }.items():
        run(f"generator sample digits-flow --out deep/{name}.png --columns 3 {options}")
    assert capsys.readouterr().out.split() == [f"deep/{name}.png" for name in ("a", "again", "b", "psi")]
    a, again, b, psi = (Image.open(f"deep/{name}.png") for name in ("a", "again", "b", "psi"))
    assert a.size[0] > a.size[1] and a.tobytes() == again.tobytes()
    assert len({picture.tobytes() for picture in (a, b, psi)}) == 3


def content(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("transform", ["identity", "gaussian", "spherical", "resample", "navigator"])
def test_views_render_and_resume(transform: str, capsys: pytest.CaptureFixture[str]) -> None:
    save(Navigator(64), "navigator")
    line = f"views render digits-flow {transform} --out pairs --pairs 20 --std 0.3 --truncation 0.7 --batch_size 8"
    run(line)
    before = content(Path("pairs"))
    assert main(line.split()) == 2
    assert "holds a store already" in capsys.readouterr().err
    assert main([*line.split(), "--resume", "--seed", "1"]) == 2
    assert "rendered with seed=0, not 1" in capsys.readouterr().err
    shutil.rmtree("pairs/shard-00000")
    run(f"{line} --resume")
    assert capsys.readouterr().out.splitlines()[-1] == "pairs: 20 pairs"
    assert content(Path("pairs")) == before
    anchors, positives = Store("pairs").latents(torch.arange(20))
    assert anchors.shape == (20, 64) and 1.2 < anchors.abs().max() <= 1.4  # psi times two standard deviations
    assert anchors.equal(positives) == (transform == "identity")
    if transform == "gaussian":
        assert 0.5 < (positives - anchors).abs().max() <= 0.6 + 1e-6


def test_views_are_rendered_by_several_processes_and_exported(capsys: pytest.CaptureFixture[str]) -> None:
    for rank in (1, 0):
        run(f"views render digits-flow gaussian --out pairs --pairs 1030 --codec latents --rank {rank} --world_size 2")
    assert capsys.readouterr().out.splitlines() == ["pairs: 1,030 pairs, 1 shards to come from other ranks", "pairs: 1,030 pairs"]
    run("views export pairs png --generator digits-flow")
    assert capsys.readouterr().out == "png: 1030 pairs\n" and len(CopGenFolder("png")) == 1030


def test_evaluate(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    encoder = encoders.Encoder(in_channels=1).eval()
    encoders.save(encoder, Path("encoder"))
    digits = data.load("digits")
    expected = {
        "linear encoder digits": evaluation.linear(encoder, digits),
        "linear encoder digits --labels_per_class 3 --seed 1": evaluation.linear(encoder, digits, labels_per_class=3, seed=1),
        "knn encoder digits": evaluation.knn(encoder, digits),
        "knn encoder digits --k 9 --temperature 0.1": evaluation.knn(encoder, digits, 9, 0.1),
    }
    for line, result in expected.items():
        run(f"evaluate {line} --out results/a.json")
        out, err = capsys.readouterr()
        assert out.startswith(f"top-1 {result.top1:.2%} (95% ") and out.endswith(", 360 test images\n") and err == ""
        written = json.loads(Path("results/a.json").read_text())
        assert written["top1"] == pytest.approx(result.top1) and written["n"] == 360
    assert len({result.top1 for result in expected.values()}) > 2
