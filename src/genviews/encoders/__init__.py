"""Encoders f: image -> representation."""

from .backbones import Encoder, projector
from .files import load, save

__all__ = ["Encoder", "load", "projector", "save"]
