"""DAE's tables: they run, and what a row is made of is made once."""

from dataclasses import replace
from pathlib import Path

import pytest

from genviews.errors import OptionError
from genviews.experiments import TABLES, Run, reproduce
from genviews.experiments.cache import Cache
from genviews.experiments.distance.autoencoders import Scale, Spec, autoencoder
from genviews.experiments.distance.scales import SMOKE


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("distance")


@pytest.mark.parametrize("name", ["distance/table2", "distance/table3"])
def test_a_table_runs(name: str, out: Path) -> None:
    run = Run(name, TABLES[name], "smoke", SMOKE, out)
    results = reproduce(run)
    columns = [*run.table.columns(SMOKE)]
    of = {row.name: [cell["probe"] for cell in results["cells"] if cell["row"] == row.name] for row in run.table.rows}
    assert all(of[row] == (columns[:2] if row == "dcgan" else columns) for row in of)
    assert all(cell["value"] > 0 for cell in results["cells"])
    assert {path.stem for path in (run.folder / "images").glob("*.png")} == set(of)
    made = {path: path.stat().st_mtime for path in (out / "cache").rglob("*.safetensors")}
    run.path(run.table.rows[-1], 0).unlink()
    assert reproduce(run)["cells"] == results["cells"]
    assert {path: path.stat().st_mtime for path in (out / "cache").rglob("*.safetensors")} == made
    text = (run.folder / "table.md").read_text()
    assert "FID" in text and "| % |" not in text


def test_rows_differ_in_the_encoder_alone(out: Path) -> None:
    cache = Cache(out / "cache")
    joint, decoupled, simclr = (
        autoencoder(Spec(family="vaegan", encoder=kind), SMOKE, 0, cache) for kind in ("joint", "decoupled", "simclr")
    )
    assert joint.config == decoupled.config == simclr.config
    assert len({float(net.encoder[-1].weight.sum()) for net in (joint, decoupled, simclr)}) == 3


def test_the_papers_setting_is_its_own() -> None:
    scale: Scale = TABLES["distance/table3"].scales["paper"]
    vqgan, gpt = scale.architecture["vqgan"], scale.architecture["gpt"]
    assert (vqgan["codes"], vqgan["code_dim"], vqgan["multipliers"], scale.vqgan.start) == (1024, 256, (1, 1, 2, 2, 4), 30_001)
    assert (gpt["layers"], gpt["heads"], gpt["width"]) == (24, 16, 1024)
    assert scale.architecture["dcgan"]["channels"] == (512, 256, 128) and scale.weaken.amount == 0.4


def test_a_scale_of_nothing_is_refused() -> None:
    with pytest.raises(OptionError, match="samples is 0; it must be positive"):
        replace(SMOKE, samples=0)
