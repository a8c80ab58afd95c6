"""What learns: one LightningModule a file, each `training_step` the paper's algorithm."""

from .classifier import ClassifierOptions, train_classifier
from .cop_gen import COPGen, NavigatorOptions, NavigatorRun, train_navigator, untrained
from .fit import fit
from .gans import GANOptions
from .generator_learner import GeneratorOptions
from .generators import DEFAULTS, train_generator
from .infogan import InfoGANOptions
from .samples import FrechetDistance
from .simclr import SimCLR, SimCLROptions, pretrain
from .vaes import VAEOptions

__all__ = [
    "DEFAULTS",
    "COPGen",
    "ClassifierOptions",
    "FrechetDistance",
    "GANOptions",
    "GeneratorOptions",
    "InfoGANOptions",
    "NavigatorOptions",
    "NavigatorRun",
    "SimCLR",
    "SimCLROptions",
    "VAEOptions",
    "fit",
    "pretrain",
    "train_classifier",
    "train_generator",
    "train_navigator",
    "untrained",
]
