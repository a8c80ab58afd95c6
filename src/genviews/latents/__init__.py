"""Latent transforms T_z: how a latent moves."""

from .directions import Directions
from .files import load, save
from .navigator import Navigator, distance
from .steering import LENGTHS, Steering
from .transforms import Gaussian, Identity, LatentTransform, Resample, Spherical

__all__ = [
    "LENGTHS",
    "Directions",
    "Gaussian",
    "Identity",
    "LatentTransform",
    "Navigator",
    "Resample",
    "Spherical",
    "Steering",
    "distance",
    "load",
    "save",
]
