"""The tables of learned views run end to end, share what they are made of, and set each row as it says."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from genviews.experiments import TABLES, reproduce
from genviews.experiments.cache import Cache
from genviews.experiments.learned_views.settings import (
    Scale,
    Spec,
    embedder_and_distances,
    generator_and_images,
    invert,
    learned,
    opened,
    recipe_of,
    rows,
)
from genviews.experiments.runner import Run
from genviews.views import LearnedViews, PerturbedViews, RealViews, SearchedViews

SMOKE: Scale = TABLES["learned-views/table3"].scales["smoke"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all tables, which share their generators, inversions and views."""
    return tmp_path_factory.mktemp("learned-views")


@pytest.fixture(scope="module")
def cache(out: Path) -> Cache:
    return Cache(out / "cache")


@pytest.mark.parametrize("name", [f"learned-views/{name}" for name in ("table1", "table3", "table15", "figure4")])
def test_tables_run(name: str, out: Path) -> None:
    run = Run(name, TABLES[name], "smoke", SMOKE, out)
    cells = reproduce(run)["cells"]
    columns = run.table.columns(SMOKE)
    assert [(cell["row"], cell["probe"]) for cell in cells] == [
        (row.name, column) for row in run.table.rows for column in columns
    ]
    assert all(0 <= cell["value"] <= 1 for cell in cells if cell["probe"] not in ("mine", "info_nce", "proxy", "distance"))
    if name == "learned-views/table3":
        shown = {path.stem for path in (run.folder / "images").glob("*.png")}
        assert shown == {row.name for row in run.table.rows if row.spec.views in ("search", "perturb")}


@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("learned-views/")])
def test_every_row_of_every_table_has_settings_of_its_own(name: str) -> None:
    table = TABLES[name]
    recipes = [(row.spec, recipe_of(row.spec, SMOKE, 0)) for row in table.rows]
    assert len({str(recipe) for recipe in recipes}) == len(recipes) == len({row.name for row in table.rows})
    names = {row.name for row in table.rows}
    assert all(claim in names for pair in table.claims for claim in pair)


@pytest.mark.parametrize(
    ("views", "kind"),
    [
        (None, RealViews),
        ("search", LearnedViews),
        ("perturb", LearnedViews),
        ("perturb-online", PerturbedViews),
        ("search-online", SearchedViews),
    ],
)
def test_each_kind_of_view_comes_from_its_source(views: str | None, kind: type, cache: Cache) -> None:
    source, _, data = opened(Spec(views=views, assimilate="a2" if views else None), SMOKE, cache)
    assert type(source) is kind and len(source) == SMOKE.images <= len(data.train)


def test_the_boundary_is_how_far_apart_expert_views_are(cache: Cache) -> None:
    generator, images, _ = generator_and_images(Spec(), SMOKE, cache)
    inverted = invert(Spec(), SMOKE, generator, images, cache)
    store, _ = learned(Spec(views="search"), SMOKE, generator, images, *inverted, cache)
    _, distances = embedder_and_distances(SMOKE, images, cache)
    assert store.config.transform["boundary"] == pytest.approx(float(distances.mean()), rel=1e-5)
    given, _ = learned(Spec(views="search", search={"boundary": 0.2}), SMOKE, generator, images, *inverted, cache)
    assert given.config.transform["boundary"] == 0.2 and given.path != store.path


def test_a_perturbation_is_as_far_as_its_row_says(cache: Cache) -> None:
    generator, images, _ = generator_and_images(Spec(), SMOKE, cache)
    inverted = invert(Spec(), SMOKE, generator, images, cache)
    spec = Spec(views="perturb", std=0.5, projected=True, cached=3)
    store, _ = learned(spec, SMOKE, generator, images, *inverted, cache)
    latents = store.read("latents", torch.arange(4))
    assert latents.shape == (4, 4, generator.latent_dim)
    steps = (latents[:, 1:] - latents[:, :1]).square().mean(2).sqrt()
    torch.testing.assert_close(steps, torch.full_like(steps, 0.5))


def test_a_picture_shows_images_reconstructions_and_views(cache: Cache) -> None:
    shown = rows(Spec(views="search", assimilate="a2"), SMOKE, cache)
    assert shown is not None and shown.shape == (8, 1, 8, 8 * (2 + SMOKE.cached))
    assert rows(Spec(), SMOKE, cache) is None


def test_longer_rows_learn_longer() -> None:
    assert recipe_of(Spec(longer=2.0), replace(SMOKE), 3).steps == 2 * SMOKE.encoder.steps
