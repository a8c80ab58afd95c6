"""Latent transforms T_z: how a latent moves."""

from .activations import activation
from .deep_spectral import deep_spectral
from .directions import Directions
from .files import load, save
from .ganspace import ganspace
from .inversion import InversionOptions, Inverted, invert
from .navigator import Navigator, distance
from .search import Searched, SearchOptions, expert_distances, fast_gradient_views, w_search
from .sefa import sefa
from .spectrum import Spectrum
from .steering import LENGTHS, Steering
from .transforms import Gaussian, Identity, LatentTransform, Resample, Shell, Spherical

__all__ = [
    "LENGTHS",
    "Directions",
    "Gaussian",
    "Identity",
    "InversionOptions",
    "Inverted",
    "LatentTransform",
    "Navigator",
    "Resample",
    "SearchOptions",
    "Searched",
    "Shell",
    "Spectrum",
    "Spherical",
    "Steering",
    "activation",
    "deep_spectral",
    "distance",
    "expert_distances",
    "fast_gradient_views",
    "ganspace",
    "invert",
    "load",
    "save",
    "sefa",
    "w_search",
]
