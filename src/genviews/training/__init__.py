"""What learns: one LightningModule a file, each `training_step` the paper's algorithm."""

from .autoencoder_learner import Weakening
from .autoencoders import AUTOENCODERS, train_autoencoder
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
from .priors import PRIORS, train_prior
from .samples import FrechetDistance
from .simclr import SimCLR
from .simclr_latent import simclr_autoencoder
from .steering import SteeringLearner, SteeringOptions, train_steering
from .vaegan import VAEGANOptions
from .vaes import VAEOptions
from .vqgan import VQGANOptions

__all__ = [
    "AUTOENCODERS",
    "DEFAULTS",
    "DISCOVERIES",
    "METHODS",
    "PRIORS",
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
    "VAEGANOptions",
    "VAEOptions",
    "VQGANOptions",
    "Weakening",
    "detector",
    "disco",
    "discover",
    "finetune",
    "fit",
    "load_detector",
    "pretrain",
    "simclr_autoencoder",
    "train_autoencoder",
    "train_classifier",
    "train_detector",
    "train_generator",
    "train_inversion_encoder",
    "train_navigator",
    "train_prior",
    "train_steering",
    "untrained",
]
