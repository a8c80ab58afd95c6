"""Import of the package: quick, and its parts come when asked for."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import genviews


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_parts_are_imported_when_first_asked_for() -> None:
    code = """
import sys, genviews as gv
print("torch" in sys.modules, gv.generators.load("digits-flow").latent_dim)
import genviews.cli.evaluate
print({"sklearn", "timm", "torchvision"} & sys.modules.keys())  # seconds each, and few functions need them
"""
    assert python(code).splitlines() == ["False 64", "set()"]


def test_every_part_is_there_and_listed() -> None:
    package = Path(genviews.__file__).parent
    folders = {path.parent.name for path in package.glob("*/__init__.py")} - {"cli"}
    assert set(genviews.__all__) == folders | {"errors"}
    assert {*genviews.__all__, "__version__"} <= set(dir(genviews))
    for name in genviews.__all__:
        assert getattr(genviews, name).__name__ == f"genviews.{name}"


def test_version_and_unknown_names() -> None:
    assert genviews.__version__ == version("genviews")
    with pytest.raises(AttributeError, match="module 'genviews' has no attribute 'generator'"):
        genviews.generator  # noqa: B018


def test_the_overview_does_without_torch() -> None:
    code = "import sys; from genviews.cli import main; main(['--help']); print('torch' in sys.modules)"
    assert python(code).splitlines()[-1] == "False"
