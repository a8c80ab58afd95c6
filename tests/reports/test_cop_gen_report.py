"""A run folder in, one page out: well-formed, self-contained, and with the numbers that its cells hold."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import ttest_1samp

from genviews.errors import RunError
from genviews.reports import write_report

ROWS = {"real": "Real images", "none": "No move", "gaussian": "Gaussian", "cop-gen": "COP-Gen"}
PROBES = {"linear": "Linear", "linear-3": "Linear, 3 labels", "knn-5": "5-NN"}
VOID = {"meta", "link", "img", "br", "hr", "input"}
HOSTILE = "genviews quickstart --out '<script>alert(1)</script>' \"</pre>&amp;"


class Page(HTMLParser):
    """Collects elements, texts and table rows; fails on a tag that is closed twice, never, or out of order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    @property
    def text(self) -> str:
        return " ".join(" ".join(data for tag, data in self.texts if tag not in ("script", "style")).split())

    def images(self) -> list[Image.Image]:
        sources = [attributes["src"] or "" for tag, attributes in self.elements if tag == "img"]
        return [
            Image.open(io.BytesIO(base64.b64decode(s.removeprefix("data:image/png;base64,"), validate=True))) for s in sources
        ]

    def tables(self) -> list[list[list[str]]]:
        """The body of each table, as rows of cells of text."""
        bodies = re.findall(r"<tbody>(.*?)</tbody>", self.source, re.DOTALL)
        rows = [re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL) for body in bodies]
        cells = [[re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in body] for body in rows]
        return [[[" ".join(re.sub("<.*?>", " ", cell).split()) for cell in row] for row in body] for body in cells]


def strokes(n: int, seed: int) -> np.ndarray:
    """Images (n, 1, 8, 8) of one bright bar each."""
    images = np.random.default_rng(seed).integers(0, 60, (n, 1, 8, 8), dtype=np.uint8)
    for i in range(n):
        images[i, 0, :, i % 8] = 255
    return images


def results() -> dict:
    rng = np.random.default_rng(0)
    bases = {"real": 0.95, "none": 0.8, "gaussian": 0.81, "cop-gen": 0.86}
    cells = [
        {"row": row, "seed": seed, "probe": probe, "top1": top1, "top5": top1 + 0.03, "interval": [top1 - 0.01, top1 + 0.01]}
        for seed in range(3)
        for row, base in bases.items()
        for probe in PROBES
        for top1 in [base + rng.normal(0, 0.01)]
    ]
    return {
        "kind": "cop-gen",
        "title": "COP-Gen on strokes",
        "command": HOSTILE,
        "date": "2026-03-02T14:22:05",
        "version": "0.1.0",
        "seconds": 734.2,
        "device": "cpu",
        "config": {"data": "strokes", "navigator": {"lr": 1e-5, "note": "<b>"}},
        "rows": list(ROWS),
        "row_titles": ROWS,
        "probes": list(PROBES),
        "probe_titles": PROBES,
        "cells": cells,
        "navigator": {"steps": 1200, "best_step": 900, "reason": "semantic consistency fell below 0.8", "delta": 0.3},
        "notes": ["The generator saw the probes' training images."],
    }


def write(run: Path, content: dict) -> None:
    (run / "results.json").write_text(json.dumps(content))


def make_run(folder: Path) -> Path:
    (folder / "navigator").mkdir()
    (folder / "images").mkdir()
    steps = np.arange(0, 1201, 100)
    lines = [f"{s},{4 - s / 600:.3f},{s / 600 - 4:.3f},0.2,{'' if s % 200 else 1 - s / 6000}" for s in steps]
    (folder / "navigator" / "metrics.csv").write_text(
        "\n".join(["step,estimator_loss,navigator_loss,distance,consistency", *lines])
    )
    np.savez(
        folder / "images" / "pictures.npz",
        real=strokes(16, 0),
        generated=strokes(16, 1),
        anchors=strokes(6, 2),
        evolution=np.stack([strokes(4, 3 + s) for s in range(12)]),
        evolution_steps=100 * np.arange(1, 13),
        evolution_anchors=strokes(4, 9),
        **{f"positives:{row}": strokes(6, 20) for row in ("none", "gaussian", "cop-gen")},
    )
    write(folder, results())
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_report(make_run(tmp_path_factory.mktemp("run"))))


def top(cells: list[dict], row: str, probe: str, metric: str = "top1") -> np.ndarray:
    chosen = sorted((c["seed"], c[metric]) for c in cells if (c["row"], c["probe"]) == (row, probe))
    return np.array([100 * value for _, value in chosen])


def spread(values: np.ndarray, form: str = ".1f") -> str:
    deviation = np.sqrt(((values - values.mean()) ** 2).sum() / (len(values) - 1))
    return f"{values.mean():{form}} ± {deviation:.1f}".replace("-", "−")  # noqa: RUF001


def test_the_page_asks_nothing_of_a_network(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "base", "form", "audio", "video")
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            assert re.match(r"data:|#", attributes.get(name) or "#"), (tag, attributes)
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page.source)
    assert not re.search(r"https?:|@import|url\((?!#)", without_namespaces)
    policy = next(a["content"] for t, a in page.elements if t == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'")


def test_ids_are_unique_and_references_resolve(page: Page) -> None:
    source = page.source
    ids = re.findall(r'\sid="([^"]+)"', source)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', source)) <= {(i, "") for i in ids} | {("", i) for i in ids}


def test_images_decode_at_whole_factors_and_say_what_they_are(page: Page) -> None:
    attributes = [a for tag, a in page.elements if tag == "img"]
    images = page.images()
    assert len(images) == 2 + 3 + 1 + 8  # samples, pairs, anchors, steps
    for image, shown in zip(images, attributes, strict=True):
        assert int(shown["width"] or 0) == 7 * image.width and int(shown["height"] or 0) == 7 * image.height
        assert shown["alt"]
    first = np.asarray(images[0])
    assert np.array_equal(first[:8, :8, 0], strokes(16, 0)[0, 0])


def test_pairs_show_an_anchor_beside_its_positive(page: Page) -> None:
    none = np.asarray(page.images()[2])
    assert np.array_equal(none[:, :8, 0], strokes(6, 2)[0, 0])
    assert np.array_equal(none[:, 8:16, 0], strokes(6, 20)[0, 0])
    assert none[0, 16, 3] == 0  # the gap to the next pair


def test_the_tables_hold_what_the_cells_say(page: Page) -> None:
    accuracies, gains = page.tables()
    cells = results()["cells"]
    expected = [
        [title, *(f"{spread(top(cells, row, p))} {spread(top(cells, row, p, 'top5'))}" for p in PROBES), "3"]
        for row, title in ROWS.items()
    ]
    assert accuracies == expected
    assert gains == [
        [ROWS[row], *(spread(top(cells, row, probe) - top(cells, "none", probe), "+.1f") for probe in PROBES)]
        for row in ("gaussian", "cop-gen")
    ]


def test_bold_is_the_best_and_what_a_t_test_finds(page: Page) -> None:
    source = page.source
    cells = results()["cells"]
    best = [max((top(cells, row, probe).mean(), row) for row in ROWS if row != "real")[1] for probe in PROBES]
    bold = {spread(top(cells, row, probe)) for row, probe in zip(best, PROBES, strict=True)}
    for row in ("gaussian", "cop-gen"):
        for probe in PROBES:
            gain = top(cells, row, probe) - top(cells, "none", probe)
            if ttest_1samp(gain, 0).pvalue < 0.05:
                bold.add(spread(gain, "+.1f"))
    assert set(re.findall(r"<strong>(.*?)</strong>", source)) == bold


def test_the_headline_is_the_largest_paired_gain(page: Page) -> None:
    cells = results()["cells"]
    gains = {
        (row, probe): top(cells, row, probe) - top(cells, "none", probe) for row in ("gaussian", "cop-gen") for probe in PROBES
    }
    (row, probe), gain = max(gains.items(), key=lambda item: item[1].mean())
    text = page.text
    assert f"The best of 6 comparisons with “No move” is “{ROWS[row]}” under “{PROBES[probe]}”" in text
    assert f"{spread(gain, '+.1f')} points of top-1 over 3 seeds" in text
    assert f"{top(cells, row, probe).mean():.1f}%" in text and "1,200 navigator steps" in text


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [([0.05, 0.051, 0.049], "beyond noise"), ([0.05, -0.04, 0.01], "within noise"), ([0.05], "no telling it from noise")],
)
def test_noise_is_called_noise(run: Path, gains: list[float], verdict: str) -> None:
    cells = [
        {"row": row, "seed": seed, "probe": "linear", "top1": 0.8 + (gain if row == "cop-gen" else 0), "top5": 1.0}
        for seed, gain in enumerate(gains)
        for row in ("none", "cop-gen")
    ]
    write(run, results() | {"cells": cells})
    page = Page(write_report(run))
    assert verdict in page.text
    assert ('class="value accent"' in page.source) == (verdict == "beyond noise")


def test_losses_keep_their_sign(run: Path) -> None:
    cells = [
        {"row": row, "seed": seed, "probe": "linear", "top1": 0.8 - 0.02 * (row == "cop-gen") + 0.001 * seed, "top5": None}
        for seed in range(2)
        for row in ("none", "cop-gen")
    ]
    write(run, results() | {"cells": cells})
    assert "is “COP-Gen” under “Linear”: −2.0 ± 0.0 points" in Page(write_report(run)).text  # noqa: RUF001


def test_hostile_text_is_text(run: Path) -> None:
    content = results()
    content["title"] = content["row_titles"]["gaussian"] = content["probe_titles"]["linear"] = "<img src=x onerror=alert(1)>$\\x$"
    write(run, content)
    page = Page(write_report(run))
    assert HOSTILE in [data for tag, data in page.texts if tag == "pre"]
    assert sum(tag == "script" for tag, _ in page.elements) == 1
    assert not any("onerror" in attributes for _, attributes in page.elements)


def test_the_page_says_when_training_stopped_and_how_to_repeat_it(page: Page) -> None:
    assert "Stopped at step 1,200: semantic consistency fell below 0.8. The navigator of step 900 is kept." in page.text
    assert page.source.count("kept at 900</text>") == page.source.count("stopped at 1,200</text>") == 3
    assert "step 900, kept" in page.text and "delta 0.3" in page.text
    assert "navigator:\n  lr: 1.0e-05\n" in next(data for tag, data in page.texts if tag == "pre" and "data:" in data)
    assert "saw the probes' training images" in page.text


def test_a_run_in_progress_shows_what_is_there(run: Path) -> None:
    content = results()
    del content["navigator"], content["notes"], content["config"]
    content["cells"] = content["cells"][:5]  # real under three probes, none under two, seed 0
    write(run, content)
    (run / "navigator" / "metrics.csv").unlink()
    np.savez(run / "images" / "pictures.npz", real=strokes(4, 0))
    page = Page(write_report(run))
    accuracies, gains = page.tables()
    assert "5 of 12 probes so far" in page.text and "No probe has compared" in page.text
    assert [row[-1] for row in accuracies] == ["1", "0 to 1", "0", "0"]
    assert {cell for row in gains for cell in row[1:]} == {"–"}  # noqa: RUF001
    assert len(page.images()) == 1


def test_a_run_without_cells_or_pictures_still_has_a_page(run: Path) -> None:
    (run / "images" / "pictures.npz").unlink()
    write(run, results() | {"cells": []})
    page = Page(write_report(run))
    assert "No probe has finished yet." in page.text and page.images() == []


def garbled(**changes: object) -> dict:
    return results() | changes


@pytest.mark.parametrize(
    "content",
    [
        garbled(kind="steering"),
        garbled(cells=[{"row": "none"}]),
        garbled(cells=3),
        garbled(cells=[{"row": "nobody", "seed": 0, "probe": "linear", "top1": 0.5}]),
        garbled(cells=[{"row": "none", "seed": 0, "probe": "linear", "top1": "high"}]),
        garbled(row_titles=["none"]),
    ],
)
def test_garbled_scores_are_one_line(run: Path, content: dict) -> None:
    write(run, content)
    with pytest.raises(RunError) as error:
        write_report(run)
    assert str(run / "results.json") in str(error.value) and "\n" not in str(error.value)
    assert not (run / "report.html").exists()


def test_the_page_is_the_same_again(run: Path) -> None:
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first
