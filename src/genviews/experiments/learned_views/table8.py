"""Learned views, Table 8: A2 in other methods."""

from typing import Any

from .comparison import OURS, assimilated, comparison, expert

METHODS = {"moco": "MoCo", "byol": "BYOL", "simsiam": "SimSiam"}
RECIPES: dict[str, dict[str, Any]] = {name: {"method": name, "objective": {}} for name in METHODS}

TABLE = comparison(
    "Learned views in other methods",
    "its other methods",
    (
        *(expert(m, f"{title}, expert views alone", **RECIPES[m]) for m, title in METHODS.items()),
        *(
            assimilated(f"{m}-a2", f"{title}, A2, W-search", recipe={"method": m, "objective": {}})
            for m, title in METHODS.items()
        ),
    ),
    "That SimSiam assimilates (eq. 16) is the paper's.",
    OURS,
    claims=[(f"{m}-a2", m) for m in METHODS],
)
