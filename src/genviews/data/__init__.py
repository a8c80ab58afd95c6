"""Data sets by name or path; the built-in ones need no download."""

from .domains import DomainImages, domains
from .factor_dataset import FactorDataset
from .factors import factors
from .features import extract, mapped
from .images import ArrayImages, FileImages, Images, Joined, Splits, Subset
from .loading import BadFile, load
from .voc import BoxedImages, voc

__all__ = [
    "ArrayImages",
    "BadFile",
    "BoxedImages",
    "DomainImages",
    "FactorDataset",
    "FileImages",
    "Images",
    "Joined",
    "Splits",
    "Subset",
    "domains",
    "extract",
    "factors",
    "load",
    "mapped",
    "voc",
]
