"""Encoders f: image -> representation."""

from .backbones import Encoder, projector
from .export import Layout, export
from .features import Features, classifier, features, save_classifier
from .files import load, save
from .heads import Embedder, embedder, save_projector
from .perceptual import Perceptual, perceptual

__all__ = [
    "Embedder",
    "Encoder",
    "Features",
    "Layout",
    "Perceptual",
    "classifier",
    "embedder",
    "export",
    "features",
    "load",
    "perceptual",
    "projector",
    "save",
    "save_classifier",
    "save_projector",
]
