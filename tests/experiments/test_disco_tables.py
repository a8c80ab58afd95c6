"""DisCo's tables run end to end, share what they are made of, and set each row as it says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from genviews import data, encoders, generators
from genviews.errors import OptionError
from genviews.experiments import TABLES, reproduce
from genviews.experiments.cache import Cache
from genviews.experiments.disco.manipulation import classifiers
from genviews.experiments.disco.settings import Scale, Spec, discovered, kept_encoder, opened, represented, traversals
from genviews.experiments.runner import Run
from genviews.latents import Directions

SMOKE: Scale = TABLES["disco/table1"].scales["smoke"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all tables, which share their generators."""
    return tmp_path_factory.mktemp("disco")


@pytest.fixture(scope="module")
def cache(out: Path) -> Cache:
    return Cache(out / "cache")


def options(cache: Cache, spec: Spec, scale: Scale = SMOKE, seed: int = 0) -> dict[str, Any]:
    """Those that the directions of a row were discovered with."""
    before = {*cache.root.glob("directions/*.json")}
    discovered(spec, scale, seed, cache)
    (new,) = {*cache.root.glob("directions/*.json")} - before
    return json.loads(new.read_text())[2]


@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("disco/table")])
def test_every_table_runs(name: str, out: Path) -> None:
    run = Run(name, TABLES[name], "smoke", SMOKE, out)
    cells = reproduce(run)["cells"]
    columns = run.table.columns(SMOKE)
    assert [(cell["row"], cell["probe"]) for cell in cells] == [
        (row.name, column) for row in run.table.rows for column in columns
    ]
    assert all(0 <= cell["value"] <= 1 for cell in cells)
    shown = {path.stem for path in (run.folder / "images").glob("*.png")}
    if name in ("disco/table1", "disco/table2", "disco/table3", "disco/table10"):
        assert shown == {row.name for row in run.table.rows if row.spec.method}


def test_nothing_is_trained_twice(out: Path) -> None:
    run = Run("disco/table3", TABLES["disco/table3"], "smoke", SMOKE, out)
    cells = reproduce(run)["cells"]
    made = {path: path.stat().st_mtime for path in (out / "cache").rglob("*.safetensors")}
    run.path(run.table.rows[0], 0).unlink()
    assert reproduce(run)["cells"] == cells
    assert {path: path.stat().st_mtime for path in (out / "cache").rglob("*.safetensors")} == made


def test_figure_6_is_table_1_over_more_runs() -> None:
    figure, table = TABLES["disco/figure6"], TABLES["disco/table1"]
    assert (figure.rows, figure.measure, figure.scales["paper"]) == (table.rows, table.measure, table.scales["paper"])
    assert all(figure.scales[name].seeds >= 5 for name in ("small", "paper"))
    assert figure.scales["small"].seeds <= figure.scales["small"].runs


def test_the_papers_setting_is_its_own() -> None:
    scale: Scale = TABLES["disco/table1"].scales["paper"]
    disco = scale.methods["disco"]
    assert (disco.batch_size, disco.positives, disco.negatives, disco.count, disco.codes) == (32, 32, 64, 64, 32)
    assert (disco.lr, disco.steps, disco.flip_threshold, disco.entropy, disco.form) == (1e-5, 100_000, 0.95, 1.0, "paper")
    assert (scale.seeds, scale.runs, scale.samples) == (25, 5, 10_000)


def test_seeds_share_a_pretrained_generator_and_no_baseline(cache: Cache) -> None:
    scale = replace(SMOKE, runs=2)
    generator = {seed: discovered(Spec(generator="vae", method="sefa"), scale, seed, cache)[0] for seed in (0, 1, 2)}
    baseline = {seed: represented(Spec(generator="factor-vae", method=None), scale, seed, cache)[0] for seed in (0, 1)}
    image = {seed: vae(torch.ones(1, 10)) for seed, vae in (generator | {10 + s: vae for s, vae in baseline.items()}).items()}
    assert image[0].equal(image[1]) and not image[0].equal(image[2]) and not image[10].equal(image[11])


def test_a_row_changes_the_scales_options(cache: Cache) -> None:
    found = options(cache, Spec(options={"entropy": 0.25}), seed=1)
    asked = json.loads(json.dumps(vars(SMOKE.methods["disco"])))
    assert found == asked | {"entropy": 0.25, "seed": 1}
    found = options(cache, Spec(positives=5 / 6))
    assert (found["positives"], found["negatives"]) == (10, 2)
    with pytest.raises(OptionError, match="discovers no directions"):
        discovered(Spec(generator="vae", method=None), SMOKE, 0, cache)


@pytest.mark.parametrize("name", ["runs", "classified", "anchors", "strengths"])
def test_a_scale_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"{name} is 0; it must be positive"):
        replace(SMOKE, **{name: 0})


def test_a_generator_may_be_a_path(cache: Cache) -> None:
    _, folder = opened("vae", SMOKE, 0, cache)
    scale = replace(SMOKE, generators={"gan": str(folder)})
    assert discovered(Spec(), scale, 3, cache)[0](torch.ones(1, 10)).equal(generators.load(folder)(torch.ones(1, 10)))


def test_the_encoder_of_a_vae_is_kept_while_directions_are_learned(cache: Cache) -> None:
    vae, _ = opened("factor-vae", SMOKE, 0, cache)
    images = torch.rand(3, 3, 16, 16)
    codes = vae.encode(images)
    torch.testing.assert_close(encoders.load(kept_encoder(vae, cache))(images), codes)
    spec = Spec(kept="factor-vae")
    generator, directions, encoder = discovered(spec, SMOKE, 0, cache)
    torch.testing.assert_close(encoder(images), codes)
    start = Directions(directions.dim, directions.count, space="w", seed=0)
    assert not directions.weight.equal(start.weight)
    with pytest.raises(OptionError, match="is of a StyleGAN2; it must be of a disco_vae"):
        kept_encoder(generator, cache)


def test_a_picture_walks_along_directions(cache: Cache) -> None:
    picture = traversals(Spec(), SMOKE, cache)
    assert picture is not None and picture.shape == (7, 3, 3 * 16, 16)
    still, first = (picture[i].unflatten(1, (3, 16)).transpose(0, 1) for i in (3, 0))
    torch.testing.assert_close(still, still[:1].expand_as(still))
    assert all((moved - image).abs().max() > 1e-3 for moved, image in zip(first, still, strict=True))
    assert traversals(Spec(generator="factor-vae", method=None), SMOKE, cache) is None


def test_each_factor_has_a_classifier_of_its_values(cache: Cache) -> None:
    shapes = data.factors("shapes3d", 16)
    scale = replace(SMOKE, attributes=replace(SMOKE.attributes, steps=60, batch_size=64), classified=1000)
    found = classifiers(scale, shapes, cache)
    factors, images = shapes.sample(200, torch.Generator().manual_seed(1))
    right = [(judge.head(judge(images / 255)).argmax(1) == factors[:, i]).float().mean() for i, judge in enumerate(found)]
    assert all(share > 2 / size for share, size in zip(right[:3], shapes.factor_sizes[:3], strict=True))
