"""Learned views, Figure 4: whether assimilation learns faster, by nearest neighbours in the course of training."""

from dataclasses import replace

from . import table3
from .settings import curve, quarters

TABLE = replace(
    table3.TABLE,
    title="Accuracy in the course of training",
    source='"On assimilating learned views in contrastive learning", Figure 4: 5-NN accuracy while encoders learn on CIFAR-10',
    columns=quarters,
    rows=[replace(row, paper={}) for row in table3.TABLE.rows],
    measure=curve,
    claims=[("a2-search", "simclr"), ("a2-perturb", "simclr")],
    notes=("A fifth of up to 5,000 training images by the other four fifths. The paper shows curves, without numbers here.",),
)
