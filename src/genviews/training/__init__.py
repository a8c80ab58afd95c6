"""What learns: one LightningModule a file, each `training_step` the paper's algorithm."""

from .classifier import ClassifierOptions, train_classifier
from .cop_gen import COPGen, NavigatorOptions, NavigatorRun, train_navigator, untrained
from .detection import DetectorOptions, detector, load_detector, train_detector
from .disco import DiscoOptions, disco
from .discovery import DISCOVERIES, discover
from .finetuning import FinetuneOptions, finetune
from .fit import fit
from .gans import GANOptions
from .generator_learner import GeneratorOptions
from .generators import DEFAULTS, train_generator
from .infogan import InfoGANOptions
from .instances import InstanceOptions
from .inversion import InversionEncoderOptions, train_inversion_encoder
from .method import Method, PretrainOptions
from .pretraining import METHODS, pretrain
from .samples import FrechetDistance
from .simclr import SimCLR
from .steering import SteeringLearner, SteeringOptions, train_steering
from .vaes import VAEOptions

__all__ = [
    "DEFAULTS",
    "DISCOVERIES",
    "METHODS",
    "COPGen",
    "ClassifierOptions",
    "DetectorOptions",
    "DiscoOptions",
    "FinetuneOptions",
    "FrechetDistance",
    "GANOptions",
    "GeneratorOptions",
    "InfoGANOptions",
    "InstanceOptions",
    "InversionEncoderOptions",
    "Method",
    "NavigatorOptions",
    "NavigatorRun",
    "PretrainOptions",
    "SimCLR",
    "SteeringLearner",
    "SteeringOptions",
    "VAEOptions",
    "detector",
    "disco",
    "discover",
    "finetune",
    "fit",
    "load_detector",
    "pretrain",
    "train_classifier",
    "train_detector",
    "train_generator",
    "train_inversion_encoder",
    "train_navigator",
    "train_steering",
    "untrained",
]
