"""Every recipe is a valid configuration of the command that its comment names, and says what the paper says."""

import re
from pathlib import Path

import pytest
import yaml

from genviews.cli import _find, _parser

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_parses(path: Path) -> None:
    command = next(line for line in re.findall(r"genviews (.*)", path.read_text()) if f"--config recipes/{path.name}" in line)
    name, run, rest = _find(command.replace(f"recipes/{path.name}", str(path)).split())
    parsed = _parser(name, run).parse_args(rest)
    for key, value in yaml.safe_load(path.read_text()).items():
        assert parsed[key] == value


def test_the_encoders_steps_are_a_hundred_epochs() -> None:
    recipe = yaml.safe_load(next(path for path in RECIPES if "encoder" in path.name).read_text())
    assert recipe["steps"] == 1_300_000 // recipe["batch_size"] * 100
    navigator = yaml.safe_load(next(path for path in RECIPES if "navigator" in path.name).read_text())
    assert abs(navigator["steps"] * navigator["batch_size"] - 200_000) < 176
