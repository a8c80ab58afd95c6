"""Data sets by name or path; the built-in ones need no download."""

from .features import extract
from .images import ArrayImages, FileImages, Images, Splits, Subset
from .loading import BadFile, load

__all__ = ["ArrayImages", "BadFile", "FileImages", "Images", "Splits", "Subset", "extract", "load"]
