"""Tables are measured once, cell by cell, by any number of processes, and say what they measured."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from genviews.cli.changes import changed
from genviews.errors import OptionError, RunError
from genviews.experiments import TABLES, reproduce
from genviews.experiments.cache import Cache
from genviews.experiments.cop_gen.settings import Spec, latent_transform, opened, pretrained
from genviews.experiments.runner import Run, find
from genviews.experiments.table import Row, Table
from genviews.latents import Gaussian, Identity, Navigator, Resample, Steering

MAIN = "from genviews.cli import main; raise SystemExit(main())"


@dataclass(frozen=True)
class Tiny:
    seeds: int = 3
    factor: float = 1.0


def measure(spec: float, scale: Tiny, seed: int, cache: Cache) -> Mapping[str, float]:
    """A number, and a note of its having been asked for."""
    if spec < 0:
        raise RunError("a row failed")
    (cache.root / f"asked-{spec}-{seed}-{scale.factor}").touch(exist_ok=False)
    return {"linear": scale.factor * spec * (1 + 0.01 * seed)}


def table(*values: float) -> Table:
    rows = tuple(Row(f"row{value}", f"value {value}", value, {"linear": 100 * value}) for value in values)
    return Table(
        "Values", "A paper, Table 1", lambda scale: {"linear": "linear"}, rows, {"tiny": Tiny()}, measure, notes=("A note.",)
    )


def run(out: Path, *values: float, scale: Tiny | None = None) -> Run:
    return Run("some/table1", table(*values), "tiny", scale or Tiny(), out, "genviews reproduce some/table1")


def test_every_cell_is_measured_once_and_shown(tmp_path: Path) -> None:
    this = run(tmp_path, 0.2, 0.5)
    results = reproduce(this)
    assert {(cell["row"], cell["seed"]): cell["value"] for cell in results["cells"]} == pytest.approx(
        {(f"row{value}", seed): value * (1 + 0.01 * seed) for value in (0.2, 0.5) for seed in range(3)}
    )
    assert reproduce(this)["cells"] == results["cells"]  # measure would fail if it were asked again
    assert json.loads((this.folder / "results.json").read_text())["cells"] == results["cells"]
    rows = list(csv.DictReader((this.folder / "table.csv").open()))
    assert (rows[0]["row"], rows[0]["value"], rows[0]["paper"]) == ("row0.2", "20.0000", "20.0")
    markdown = (this.folder / "table.md").read_text()
    assert "| value 0.5 | 50.50 ± 0.50 | 50.00 |" in markdown
    assert "| value 0.5 > value 0.2 | linear | +30.00 | +30.30 ± 0.30 |" in markdown
    assert "A note." in markdown and "value 0.5" in (this.folder / "report.html").read_text()


def test_an_order_that_the_paper_states_without_numbers_is_compared(tmp_path: Path) -> None:
    this = run(tmp_path, 0.2, 0.5)
    rows = [replace(row, paper={}) for row in this.table.rows]
    reproduce(replace(this, table=replace(this.table, rows=rows, claims=[("row0.2", "row0.5")])))
    ahead = "| value 0.2 > value 0.5 | linear | ahead | \N{MINUS SIGN}30.30 ± 0.30 |"
    assert ahead in (this.folder / "table.md").read_text()
    assert "“ahead” where it gives no numbers" in (this.folder / "report.html").read_text()


def test_more_seeds_keep_the_cells_and_another_scale_does_not(tmp_path: Path) -> None:
    reproduce(run(tmp_path, 0.2))
    assert len(reproduce(run(tmp_path, 0.2, scale=Tiny(seeds=5)))["cells"]) == 5
    assert len([*(tmp_path / "cache").glob("asked-*")]) == 5
    changed = reproduce(run(tmp_path, 0.2, scale=Tiny(factor=2.0)))
    assert changed["cells"][0]["value"] == pytest.approx(0.4)


def test_stopped_by_an_error_it_keeps_what_is_done(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="a row failed"):
        reproduce(run(tmp_path, 0.2, -1.0))
    results = json.loads((run(tmp_path).folder / "results.json").read_text())
    assert len(results["cells"]) == 1
    assert "1 of 6 cells so far" in (run(tmp_path).folder / "table.md").read_text()


def test_a_cell_that_another_process_has_taken_is_left_to_it(tmp_path: Path) -> None:
    """Another process holds the first cell; the worker measures the others, then waits until that one is there."""
    this = run(tmp_path, 0.2, 0.5, scale=Tiny(seeds=1))
    first = this.path(this.table.rows[0], 0)
    first.parent.mkdir(parents=True)
    code = f"""
import sys, time
from pathlib import Path
from filelock import FileLock
first, other = Path({str(first)!r}), Path({str(this.path(this.table.rows[1], 0))!r})
with FileLock(f"{{first}}.lock"):
    print("taken", flush=True)
    while not other.exists():
        time.sleep(0.05)
    first.write_text('{{"numbers": {{"linear": 0.9}}, "seconds": 0}}')
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "taken\n"
    results = reproduce(this)
    assert other.wait() == 0
    assert {cell["row"]: cell["value"] for cell in results["cells"]} == {"row0.2": 0.9, "row0.5": 0.5}


def test_two_devices_measure_what_one_does(tmp_path: Path) -> None:
    """One with half of the processor, as each of two has it: sums round by the number of threads."""

    def cells(devices: int, **environment: str) -> list[dict[str, Any]]:
        out = tmp_path / str(devices)
        command = [sys.executable, "-c", MAIN, "reproduce", "cop-gen/table4", "--scale", "smoke", "--seeds", "1"]
        subprocess.run([*command, "--out", str(out), "--devices", str(devices)], env=os.environ | environment, check=True)
        (results,) = out.rglob("results.json")
        return json.loads(results.read_text())["cells"]

    half = str(max(1, (os.cpu_count() or 1) // 2))
    assert cells(2) == cells(1, OMP_NUM_THREADS=half)


def test_a_task_of_a_slurm_job_trains_by_itself(tmp_path: Path) -> None:
    slurm = {
        "OMP_NUM_THREADS": "1",
        "SLURM_NTASKS": "2",
        "SLURM_PROCID": "1",
        "SLURM_LOCALID": "1",
        "SLURM_JOB_NAME": "job",
        "SLURM_JOB_ID": "1",
    }
    command = [sys.executable, "-c", MAIN, "reproduce", "cop-gen/table9", "--scale", "smoke", "--seeds", "1"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path)], env=os.environ | slurm | {"SLURM_NODELIST": "here"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "real images" in done.stdout


def test_settings_reach_into_the_scale() -> None:
    smoke = TABLES["cop-gen/table1"].scales["smoke"]
    scale = changed(smoke, {"seeds": 7, "encoder.steps": 3, "encoder.objective.temperature": 1})
    assert (scale.seeds, scale.encoder.steps, scale.encoder.objective) == (7, 3, {"temperature": 1})
    assert (scale.encoder.batch_size, smoke.encoder.steps) == (32, 2)
    assert changed(smoke, {"encoder": {"steps": 3}, "transfer": ["digits"]}).encoder == replace(smoke.encoder, steps=3)


def test_settings_reach_into_dictionaries_of_options() -> None:
    smoke = TABLES["disco/table1"].scales["smoke"]
    changes = {
        "methods.disco.steps": 3,
        "methods.sefa": {"count": 2},
        "generators.vae.options.steps": 4,
        "generators.gan": "file",
        "generators.factor-vae": "folder",
    }
    scale = changed(smoke, changes)
    assert (scale.methods["disco"].steps, scale.methods["sefa"].count) == (3, 2)
    assert (scale.generators["vae"].options["steps"], scale.generators["gan"]) == (4, "file")
    assert scale.generators["factor-vae"] == "folder"
    assert scale.methods["disco"].codes == smoke.methods["disco"].codes
    assert scale.generators["flow"] == smoke.generators["flow"]
    assert changed(smoke, {"methods": {"disco": {"steps": 3}, "sefa": {"count": 2}}}).methods == scale.methods
    for unknown in ({"methods.dicso.steps": 3}, {"methods.dicso": {"steps": 3}}, {"methods": {"dicso": {"steps": 3}}}):
        with pytest.raises(OptionError, match="'dicso' is none of disco, latent-discovery"):
            changed(smoke, unknown)
    with pytest.raises(OptionError, match="DiscoOptions cannot be 3; change its options by their names"):
        changed(smoke, {"methods.disco": 3})


def test_settings_are_judged_together() -> None:
    methods = TABLES["disco/table1"].scales["smoke"].methods
    found = changed(methods["latent-discovery"], {"shift": 0.25, "least_shift": 0.125, "encoder.lr": 1, "encoder.shift": 2})
    assert (found.shift, found.least_shift, found.encoder.lr, found.encoder.shift) == (0.25, 0.125, 1, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder.step": 3}, "PretrainOptions has no option 'step'"),
        ({"encoder.steps": "abc"}, "steps cannot be 'abc'"),
        ({"encoder": 3}, "PretrainOptions cannot be 3; change its options by their names"),
        ({"generator.options.steps": 3}, "'digits-flow' has no option 'options.steps'"),
        ({"transfer": "digits"}, "transfer cannot be 'digits'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        changed(TABLES["cop-gen/table1"].scales["smoke"], changes)


def test_a_table_takes_seeds_and_devices(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="seeds is 0"):
        reproduce(run(tmp_path, 0.2, scale=Tiny(seeds=0)))
    with pytest.raises(OptionError, match="devices is 0"):
        reproduce(run(tmp_path, 0.2), 0)


def test_unknown_tables_and_scales_are_refused() -> None:
    with pytest.raises(OptionError, match="'cop-gen/table11' is unknown; choose cop-gen/table1, "):
        find("cop-gen/table11", "small", TABLES)
    with pytest.raises(OptionError, match="has no scale 'large'; choose smoke, small, paper"):
        find("cop-gen/table1", "large", TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_its_scales_and_rows_of_their_own(name: str) -> None:
    found = TABLES[name]
    names = {row.name for row in found.rows}
    assert [*found.scales] == ["smoke", "small", "paper"]
    assert len(names) == len(found.rows)
    for scale in found.scales.values():
        assert {column for row in found.rows for column in row.paper} <= found.columns(scale).keys()
    assert {row for claim in found.claims for row in claim} <= names
    assert all(better != worse for better, worse in found.claims)


@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("cop-gen/")])
def test_the_papers_best_row_is_one_of_its_own(name: str) -> None:
    found = TABLES[name]
    reported = {row.name: row.paper["linear"] for row in found.rows if row.paper}
    if reported:
        assert max(reported, key=lambda row: reported[row]) in ("cop-gen", "all", "twice", "byol-cop-gen", "real")


def test_the_transforms_are_those_of_the_rows(tmp_path: Path) -> None:
    scale, cache = TABLES["cop-gen/table1"].scales["smoke"], Cache(tmp_path)
    generator, _ = opened(scale, cache)
    kinds = {"none": Identity, "gaussian": Gaussian, "steering": Steering, "untrained": Navigator, "random": Resample}
    for positives, kind in kinds.items():
        assert type(latent_transform(Spec(positives=positives), scale, generator, cache)) is kind
    trained, longer, bare = (
        latent_transform(spec, scale, generator, cache)
        for spec in (
            Spec(positives="cop-gen"),
            Spec(positives="cop-gen", longer=2),
            Spec(positives="cop-gen", augmentation="none"),
        )
    )
    weights = [next(transform.parameters()) for transform in (trained, longer, bare)]
    assert not weights[0].equal(weights[1]) and not weights[0].equal(weights[2])


def test_tables_share_their_encoders(tmp_path: Path) -> None:
    scale, cache = TABLES["cop-gen/table1"].scales["smoke"], Cache(tmp_path)
    first, _ = pretrained(Spec(positives="none"), scale, 0, cache)
    second, _ = pretrained(Spec(positives="none"), replace(scale, gaussian_std=0.7, transfer=("digits",)), 0, cache)
    assert all(a.equal(b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert len([*(tmp_path / "encoders").glob("*/model.json")]) == 1
    pretrained(Spec(positives="none", method="byol"), scale, 0, cache)
    assert len([*(tmp_path / "encoders").glob("*/model.json")]) == 2


def test_a_folder_of_the_cache_is_one_processes_at_a_time(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with cache.folder("things", {"a": 1, "b": Tiny()}) as folder:
        assert folder == cache.path("things", {"b": Tiny(), "a": 1})
        assert json.loads(Path(f"{folder}.json").read_text()) == {"a": 1, "b": {"seeds": 3, "factor": 1.0}}
        with pytest.raises(TimeoutError), FileLock(f"{folder}.lock", timeout=0):
            pass
    assert cache.path("things", {"a": 2}) != folder
