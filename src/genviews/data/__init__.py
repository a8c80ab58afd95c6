"""Data sets by name or path; the built-in ones need no download."""

from .features import extract
from .images import ArrayImages, FileImages, Images, Splits
from .loading import load

__all__ = ["ArrayImages", "FileImages", "Images", "Splits", "extract", "load"]
