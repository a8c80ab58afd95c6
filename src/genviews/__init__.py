"""Contrastive representation learning with generative models: any generator, any latent transform, any objective."""

from importlib import import_module
from importlib.metadata import version
from types import ModuleType

__all__ = [  # each imported when first asked for
    "augmentations",
    "data",
    "encoders",
    "errors",
    "evaluation",
    "experiments",
    "generators",
    "latents",
    "losses",
    "metrics",
    "reports",
    "training",
    "views",
]
__version__ = version("genviews")


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
