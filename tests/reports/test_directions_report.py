"""The page of directions: pictures in the order of the ranking, and every plot's numbers."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from genviews import generators
from genviews.errors import RunError
from genviews.evaluation.directions import Walks, directions_cloud, effects
from genviews.latents import Directions
from genviews.reports import write_report
from genviews.reports.directions import EACH, SIDE, STEPS, save_walks
from genviews.reports.figures import cloud, heat_map, save_animation

RESULTS = {
    "kind": "directions",
    "method": "disco",
    "space": "z",
    "seconds": 90.4,
    "date": "2026-01-02T03:04:05+00:00",
    "version": "1.2.3",
    "device": "a device",
}


class Stripes(nn.Module):
    """A row of 4 pixels for each of 4 latents."""

    def forward(self, latents: Tensor) -> Tensor:
        return (latents * torch.tensor([0.1, 0.4, 0.2, 0.3]))[:, :, None].expand(-1, -1, 4)


class Rows(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean(3).flatten(1)


@pytest.fixture
def walks() -> Walks:
    generator = generators.wrap(Stripes(), latent_dim=4, image_shape=(1, 4, 4), output_range=(-1, 1))
    return Walks(generator, Directions.of(torch.eye(4)), anchors=2)


@pytest.fixture
def run(walks: Walks, tmp_path: Path) -> Path:
    """The run folder of four directions of which three were shown, moving."""
    found = effects(walks, Rows(), 3.0)
    codes = directions_cloud(walks, Rows(), [1, 3, 2], torch.linspace(-3, 3, 3))
    save_walks(tmp_path / "images", walks, found, codes, 3.0, 3, moving=True)
    shown = {"generator": "runs/<b>stripes</b>", "shift": 3.0, "top": 3, "gif": True, "ranking": found.ranking()}
    (tmp_path / "results.json").write_text(json.dumps(RESULTS | {"shown": shown}))
    (tmp_path / "metrics.csv").write_text("step,loss\n1,5\n2,4\n")
    return tmp_path


def embedded(page: str, kind: str) -> list[Image.Image]:
    found = re.findall(rf'<img class="\w+" src="data:image/{kind};base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(data, validate=True))) for data in found]


def test_the_page_shows_the_best_in_their_order(run: Path) -> None:
    page = write_report(run).read_text()
    labels = re.findall(r'<span class="label">([^<]*)</span>', page)
    best = ["direction 1", "direction 3", "direction 2"]
    assert labels[:6] == [*best, *best]
    assert labels[6:] == [
        "direction 1 downwards, 3 to the right",
        "How alike the variations are",
        "Which dimension answers",
        "by direction 1",
        "by direction 3",
        "by direction 2",
    ]
    assert "Directions of b&gt;" in page and "<b>" not in page
    assert "Found by disco in the space z, in 0:01:30." in page and "direction 0" not in page
    assert re.findall(r"<th scope=row>(\d)", page) == ["1", "3", "2"] and "results.json has all 4" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_pictures_are_embedded_and_their_middle_is_the_anchor(run: Path, walks: Walks) -> None:
    page = write_report(run).read_text()
    strips = embedded(page, "png")
    assert [strip.size for strip in strips] == [(STEPS * 5 - 1, 9)] * 3 + [(SIDE * 5 - 1,) * 2]
    anchors = (walks.generator(walks.latents).clamp(0, 1) * 255).round().numpy()[:, 0]
    middle = 5 * (STEPS // 2)
    for strip in strips[:3]:
        assert np.array_equal(np.asarray(strip)[:4, middle : middle + 4, 0], anchors[0])
        assert np.array_equal(np.asarray(strip)[5:, middle : middle + 4, 0], anchors[1])
    moving = embedded(page, "gif")
    assert [(gif.size, gif.info["loop"]) for gif in moving] == [((9, 4), 0)] * 3
    assert all(STEPS < gif.n_frames <= 2 * (STEPS - 1) for gif in moving)  # frames that are alike become one


def test_pictures_of_an_earlier_look_are_gone(run: Path, walks: Walks) -> None:
    save_walks(run / "images", walks, effects(walks, Rows(), 1.0), None, 1.0, 1)
    assert {path.name for path in (run / "images").iterdir()} == {"direction-1.png", "pictures.npz"}
    results = json.loads((run / "results.json").read_text())
    results["shown"] |= {"top": 1, "gif": False}
    (run / "results.json").write_text(json.dumps(results))
    page = write_report(run).read_text()
    assert "Two at a time" not in page and "coloured by" not in page and embedded(page, "gif") == []


def test_directions_that_were_never_shown_have_a_page(run: Path) -> None:
    (run / "results.json").write_text(json.dumps(RESULTS))
    page = write_report(run).read_text()
    assert "Training" in page and "One at a time" not in page and "<img" not in page


def test_a_run_without_its_pictures_is_refused(run: Path) -> None:
    (run / "images" / "pictures.npz").unlink()
    with pytest.raises(RunError, match=r"pictures.npz is missing; draw it again with genviews directions show"):
        write_report(run)


def test_few_variations_of_a_direction_are_kept(run: Path) -> None:
    with np.load(run / "images" / "pictures.npz") as arrays:
        assert arrays["variations"].shape == (3, 4, 4) and EACH >= 4
        assert arrays["shares"].argmax(1).tolist() == [1, 3, 2]


def test_a_heat_map_is_as_opaque_as_its_numbers() -> None:
    values = np.array([[0, 0.5, 1], [2, -1, 0.25]])
    svg = heat_map(values, ["first", "second"], [], xlabel="things")
    (data,) = re.findall(r'xlink:href="data:image/png;base64,([^"]+)"', svg)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(re.sub(r"\s", "", data)))))
    assert pixels[..., 3].tolist() == [[0, 127, 255], [255, 0, 63]]
    assert "first" in svg and "second" in svg and "things" in svg


def test_a_cloud_has_a_point_an_image_of_its_colour() -> None:
    svg = cloud(np.random.default_rng(0).random((7, 3)), np.linspace(0, 1, 7), ["code 3", "code 0", "code 5"])
    fills = re.findall(r"<use [^>]*fill: (#\w{6})", svg)
    assert len(fills) == 7 and len(set(fills)) == 7
    assert all(label in svg for label in ("code 3", "code 0", "code 5"))


def test_an_animation_goes_there_and_back(tmp_path: Path) -> None:
    frames = torch.linspace(0, 1, 4).reshape(4, 1, 1, 1, 1).expand(4, 2, 3, 6, 6)
    save_animation(tmp_path / "there.gif", frames, columns=2, milliseconds=50)
    with Image.open(tmp_path / "there.gif") as image:
        seen = []
        for frame in range(image.n_frames):
            image.seek(frame)
            assert image.info["duration"] == 50
            seen.append(np.asarray(image.convert("RGB"))[2, 2, 0])
    assert np.allclose(seen, [0, 85, 170, 255, 170, 85], atol=3)
