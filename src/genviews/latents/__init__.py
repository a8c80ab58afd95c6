"""Latent transforms T_z: how a latent moves."""

from .files import load, save
from .navigator import Navigator, distance
from .steering import LENGTHS, Steering
from .transforms import Gaussian, Identity, LatentTransform, Resample, Spherical

__all__ = [
    "LENGTHS",
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
