import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from reference.voc_folders import write_voc

from genviews import encoders
from genviews.cli import main


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """A short run in `run`."""
    images = {name: [("cat", (5, 5, 30, 30), 0), ("dog", (21, 11, 60, 40), 0)] for name in "abcd"}
    write_voc(tmp_path / "pets", images, {"trainval": "a b c", "test": "d"})
    encoders.save(encoders.Encoder(width=4), tmp_path / "encoder")
    options = ["--image_size", "80", "--steps", "2", "--batch_size", "2", "--proposals", "20", "--samples", "8"]
    return ["evaluate", "detection", str(tmp_path / "encoder"), str(tmp_path / "pets"), "--out", str(tmp_path / "run"), *options]


def test_a_run_has_results_a_picture_and_a_page_and_resumes(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main(command) == 0
    printed = capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    assert results["kind"] == "detection" and results["classes"].keys() == {"cat", "dog"}
    assert (results["training_images"], results["images"], results["boxes"], results["steps"]) == (3, 1, 2, 2)
    assert 0 <= results["mean"]["ap"] <= results["mean"]["ap50"] <= 1
    assert f"mean            AP {results['mean']['ap']:.1%}" in printed and "2 boxes in 1 test images" in printed
    assert Image.open(out / "images" / "detections.png").size == (480, 320)
    page = (out / "report.html").read_text()
    assert "Detection on pets" in page and "dog" in page and "a pretrained conv-small" in page
    assert main(command) == 2 and "--resume" in capsys.readouterr().err
    shutil.rmtree(out / "images")
    assert main([*command, "--resume"]) == 0
    again = json.loads((out / "results.json").read_text())
    assert again["mean"] == results["mean"] and (out / "images" / "detections.png").exists()


def test_from_scratch_two_runs_start_from_the_same_random_weights(command: list[str], tmp_path: Path) -> None:
    runs = {}
    for name, options in {"first": ["--scratch", "true"], "again": ["--scratch", "true"], "pretrained": []}.items():
        assert main([*command, "--out", str(tmp_path / name), "--steps", "1", "--freeze", "all", *options]) == 0
        runs[name] = (tmp_path / name / "model.safetensors").read_bytes()
    assert runs["first"] == runs["again"] != runs["pretrained"]
