"""Encoders f: image -> representation."""

from .backbones import Encoder, projector
from .export import Layout, export
from .features import Features, classifier, features, save_classifier
from .files import load, save

__all__ = ["Encoder", "Features", "Layout", "classifier", "export", "features", "load", "projector", "save", "save_classifier"]
