"""`genviews views search` and `perturb`, on digits inverted exactly by a flow, and pretraining on what they leave."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from genviews import data, encoders
from genviews.cli import main
from genviews.views import LearnedViews, Store

SEARCH = "views search digits-flow inverted encoder digits --views 3 --steps 4 --shard_size 30 --out learned"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an inversion and of an encoder."""
    folder = tmp_path_factory.mktemp("prepared")
    run(f"invert digits-flow digits --limit 40 --out {folder}/inverted")
    torch.manual_seed(0)
    encoders.save(encoders.Encoder(in_channels=1, width=8), folder / "encoder")
    return folder


@pytest.fixture(autouse=True)
def folder(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()


def run(line: str) -> None:
    assert main(line.split()) == 0


def test_search_and_pretrain(capsys: pytest.CaptureFixture[str]) -> None:
    run(f"{SEARCH} --boundary 0.1")
    first, second, page = capsys.readouterr().out.splitlines()
    assert first == "learned: 3 views of each of 40 images; 0 left out" and page == "learned/report.html"
    assert " converged; distance 0." in second and "(norm 0.1 wanted)" in second
    results, store = json.loads(Path("learned/results.json").read_text()), Store("learned")
    distances = store.read("distances", torch.arange(40))
    assert distances.shape == (40, 4) and results["distance"] == pytest.approx(float(distances[:, 1:].mean()))
    text = Path(page).read_text()
    assert "3 learned views of 40 images" in text and "distance from the reconstruction" in text
    run("report learned")
    assert Path(page).read_text() == text
    before = {path: path.read_bytes() for path in Path("learned").glob("shard-*/*")}
    run(f"{SEARCH} --boundary 0.1 --resume")
    assert before == {path: path.read_bytes() for path in before}
    views = LearnedViews(data.load("digits", 8).train, store)
    assert len(views) == 40
    assert main(["pretrain", "learned", "--images", "digits", "--steps", "2", "--batch_size", "8", "--drawn", "9"]) == 2
    assert "drawn is 9; learned has 1 to 3 views" in capsys.readouterr().err


@pytest.mark.parametrize(
    "views",
    [
        "learned --drawn 2",
        "inverted --generator digits-flow",
        "inverted --generator digits-flow --transform search --drawn 2",
    ],
)
def test_pretraining_assimilates_views_kept_and_views_made_in_the_step(views: str) -> None:
    run("views perturb digits-flow inverted digits --views 2 --out learned")
    run(f"pretrain {views} --images digits --assimilate a2 --steps 2 --batch_size 8 --out run")
    drawn = 2 if "--drawn 2" in views else 1
    with Image.open("run/images/views.png") as picture:  # the image, two expert views and those drawn, a pixel between
        assert picture.size == ((3 + drawn) * 17 + 1, 8 * 17 + 1)
    assert encoders.load("run")(torch.rand(2, 1, 16, 16)).shape == (2, 128)


def test_the_boundary_is_measured_on_expert_views(capsys: pytest.CaptureFixture[str]) -> None:
    run(SEARCH)
    boundary = Store("learned").config.transform["boundary"]
    assert 0.01 < boundary < 1 and f"(norm {boundary:.3g} wanted)" in capsys.readouterr().out
    run(f"{SEARCH} --augmentation none --out still --boundary 0.2 --codec latents --target real")
    assert (
        Store("still").config.transform["boundary"] == 0.2 and "distance from the real" in Path("still/report.html").read_text()
    )


def test_perturb(capsys: pytest.CaptureFixture[str]) -> None:
    run("views perturb digits-flow inverted digits --views 2 --std 0.3 --shell true --out learned")
    assert capsys.readouterr().out == "learned: 2 views of each of 40 images; 0 left out\nlearned/report.html\n"
    latents = Store("learned").read("latents", torch.arange(40))
    lengths = (latents[:, 1:] - latents[:, :1]).norm(dim=2)
    torch.testing.assert_close(lengths, torch.full((40, 2), 0.3 * 8))
    assert "Shell" in Path("learned/report.html").read_text()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (SEARCH.replace("inverted", "nope"), "nope/results.json is missing"),
        (f"{SEARCH} --boundary 3", "boundary is 3.0; embeddings of length 1 have distances in (0, 2)"),
        (SEARCH.replace("encoder", "inverted"), "inverted/model.json is missing"),
        (SEARCH.replace("digits-flow", "fashion-stylegan2"), "these latents are of"),
        (f"{SEARCH} --threshold -1", "no image is kept; raise the threshold"),
        ("views perturb digits-flow inverted digits --views 0", "views is 0; it must be positive"),
        ("pretrain learned", "learned holds views learned of real images, which it needs too; name them by --images"),
        (
            "pretrain inverted --images digits",
            "inverted holds latents of real images; name these by --images, and their --generator",
        ),
        ("pretrain inverted --images digits --generator fashion-stylegan2", "these latents are of generator.class=RealNVP"),
    ],
)
def test_bad_input(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    if line.startswith("pretrain"):
        run("views perturb digits-flow inverted digits --views 2 --out learned")
        capsys.readouterr()
    assert main(line.split()) == 2
    assert message in capsys.readouterr().err
