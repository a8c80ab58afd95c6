"""Encoders f: image -> representation."""

from .backbones import Encoder, projector
from .export import Layout, export
from .features import Features, classifier, features, save_classifier
from .files import load, save
from .heads import Embedder, embedder, save_projector
from .published import published

__all__ = [
    "Embedder",
    "Encoder",
    "Features",
    "Layout",
    "classifier",
    "embedder",
    "export",
    "features",
    "load",
    "projector",
    "published",
    "save",
    "save_classifier",
    "save_projector",
]
