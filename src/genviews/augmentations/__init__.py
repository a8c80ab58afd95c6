"""Image transforms T_x: images -> images, batched, random for each sample by itself, differentiable."""

from .augmentation import RECIPES, Augmentation, Recipe, available, create
from .diffaugment import DiffAugment
from .edits import edit, edits_of
from .geometry import AffineRanges
from .viewmaker import Viewmaker, load, save

__all__ = [
    "RECIPES",
    "AffineRanges",
    "Augmentation",
    "DiffAugment",
    "Recipe",
    "Viewmaker",
    "available",
    "create",
    "edit",
    "edits_of",
    "load",
    "save",
]
