"""Losses: representations -> scalar."""

from .contrastive import info_nce
from .distributed import gather

__all__ = ["gather", "info_nce"]
