"""Data sets by name or path; the built-in ones need no download."""

from .features import extract
from .images import ArrayImages, FileImages, Images, Joined, Splits, Subset
from .loading import BadFile, load
from .voc import BoxedImages, voc

__all__ = [
    "ArrayImages",
    "BadFile",
    "BoxedImages",
    "FileImages",
    "Images",
    "Joined",
    "Splits",
    "Subset",
    "extract",
    "load",
    "voc",
]
