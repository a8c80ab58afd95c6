from pathlib import Path

import pytest

from genviews.errors import RunError
from genviews.runs import claim

CONFIG = "data: digits\nencoder:\n  steps: 300\n  lr: 0.1\nout: runs/a\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that has begun."""
    claim(tmp_path / "deep" / "run", CONFIG, resume=False)
    (tmp_path / "deep" / "run" / "metrics.csv").write_text("step,loss\n")
    return tmp_path / "deep" / "run"


def test_a_new_folder_gets_the_configuration(run: Path) -> None:
    assert (run / "config.yaml").read_text() == CONFIG


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_killed_before_it_wrote_anything_begins_anew(resume: bool, run: Path) -> None:
    (run / "metrics.csv").unlink()
    claim(run, "data: mnist\n", resume)
    assert (run / "config.yaml").read_text() == "data: mnist\n"


def test_a_run_is_resumed_only_when_asked_for(run: Path) -> None:
    with pytest.raises(RunError, match="holds a run already; go on with it by --resume, or choose another folder with --out"):
        claim(run, CONFIG, resume=False)
    claim(run, CONFIG, resume=True)
    assert (run / "config.yaml").read_text() == CONFIG


def test_a_run_that_has_moved_is_resumed(run: Path) -> None:
    claim(run.rename(run.with_name("moved")), CONFIG.replace("runs/a", "runs/moved"), resume=True)


@pytest.mark.parametrize(
    ("config", "difference"),
    [
        (CONFIG.replace("300", "500"), "encoder.steps=300, not 500"),
        (CONFIG.replace("  lr: 0.1\n", ""), "encoder.lr=0.1, not None"),
        (CONFIG + "seed: 1\n", "seed=None, not 1"),
    ],
)
def test_another_run_is_refused_and_left_alone(config: str, difference: str, run: Path) -> None:
    with pytest.raises(RunError, match=f"holds a run of {difference}"):
        claim(run, config, resume=True)
    assert (run / "config.yaml").read_text() == CONFIG


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_something_else_is_refused(resume: bool, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunError, match=r"holds thesis\.tex but no run"):
        claim(tmp_path, CONFIG, resume)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("out", ["file", "file/run"])
def test_a_folder_that_cannot_be_made_is_refused(out: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        claim(tmp_path / out, CONFIG, resume=False)
