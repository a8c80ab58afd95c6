"""Pairs of views: rendered in the training step, or to disk and read back."""

from .conditioned import ClassViews, InstanceViews
from .cop_gen_layout import CopGenFolder, export_cop_gen
from .generated import DecodedImages, GeneratedImages
from .rendered import RenderedViews
from .rendering import render
from .sources import GeneratedViews, Pair, RealViews, Views
from .store import Pairs, Store

__all__ = [
    "ClassViews",
    "CopGenFolder",
    "DecodedImages",
    "GeneratedImages",
    "GeneratedViews",
    "InstanceViews",
    "Pair",
    "Pairs",
    "RealViews",
    "RenderedViews",
    "Store",
    "Views",
    "export_cop_gen",
    "render",
]
