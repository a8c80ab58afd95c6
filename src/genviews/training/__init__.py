"""What learns: one LightningModule a file, each `training_step` the paper's algorithm."""

from .cop_gen import COPGen, NavigatorOptions, NavigatorRun, train_navigator, untrained
from .fit import fit
from .generators import GeneratorOptions, train_generator
from .simclr import SimCLR, SimCLROptions, pretrain

__all__ = [
    "COPGen",
    "GeneratorOptions",
    "NavigatorOptions",
    "NavigatorRun",
    "SimCLR",
    "SimCLROptions",
    "fit",
    "pretrain",
    "train_generator",
    "train_navigator",
    "untrained",
]
