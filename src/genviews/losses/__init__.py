"""Losses: representations -> scalar."""

from .adversarial import discriminator_loss, generator_loss, r1_penalty
from .contrastive import info_nce
from .distributed import gather

__all__ = ["discriminator_loss", "gather", "generator_loss", "info_nce", "r1_penalty"]
