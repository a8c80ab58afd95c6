"""Learned views, Table 19: assimilation by how long encoders learn."""

from .comparison import OURS, assimilated, comparison, expert

LENGTHS = (0.25, 0.5, 2.0)

TABLE = comparison(
    "Short and long training",
    "its training length",
    (
        *(expert(f"simclr-{k}", f"SimCLR, {k} times the steps", longer=k) for k in LENGTHS),
        *(assimilated(f"a2-{k}", f"A2, W-search, {k} times the steps", longer=k) for k in LENGTHS),
    ),
    OURS,
    claims=[(f"a2-{k}", f"simclr-{k}") for k in LENGTHS],
)
