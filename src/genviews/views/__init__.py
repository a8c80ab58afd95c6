"""Views: rendered in the training step, or to disk and read back."""

from .conditioned import ClassViews, InstanceViews
from .cop_gen_layout import CopGenFolder, export_cop_gen
from .generated import DecodedImages, GeneratedImages
from .inverted import Inversion, invert_images
from .learned import LearnedViews, Perturb, Search, render_learned, require_made_of
from .moved import PerturbedViews, SearchedViews
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
    "Inversion",
    "LearnedViews",
    "Pair",
    "Pairs",
    "Perturb",
    "PerturbedViews",
    "RealViews",
    "RenderedViews",
    "Search",
    "SearchedViews",
    "Store",
    "Views",
    "export_cop_gen",
    "invert_images",
    "render",
    "render_learned",
    "require_made_of",
]
