"""Losses: representations -> scalar."""

from .adversarial import discriminator_loss, generator_loss, r1_penalty
from .contrastive import info_nce
from .cosine import negative_cosine
from .distributed import gather
from .feature_transformation import extrapolate, interpolate
from .multiview import multiview
from .queue import Queue, nearest_neighbours, queue_info_nce
from .search import spread, view_search
from .student_t import student_t_distance, student_t_info_nce, student_t_queue
from .supervised import supervised_contrastive
from .variations import domination_entropy, variation, variation_contrast
from .viewmaker import viewmaker_loss

__all__ = [
    "Queue",
    "discriminator_loss",
    "domination_entropy",
    "extrapolate",
    "gather",
    "generator_loss",
    "info_nce",
    "interpolate",
    "multiview",
    "nearest_neighbours",
    "negative_cosine",
    "queue_info_nce",
    "r1_penalty",
    "spread",
    "student_t_distance",
    "student_t_info_nce",
    "student_t_queue",
    "supervised_contrastive",
    "variation",
    "variation_contrast",
    "view_search",
    "viewmaker_loss",
]
