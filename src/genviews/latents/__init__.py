"""Latent transforms T_z: how a latent moves."""

from .files import load, save
from .navigator import Navigator, distance
from .transforms import Gaussian, Identity, LatentTransform, Resample, Spherical

__all__ = ["Gaussian", "Identity", "LatentTransform", "Navigator", "Resample", "Spherical", "distance", "load", "save"]
