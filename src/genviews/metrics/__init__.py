"""Metrics: arrays in, numbers out."""

from .classification import Classification, few_label
from .disentanglement import DCI, dci, mig, modularity, mutual_information, sap
from .disentanglement_batches import beta_vae_score, factor_vae_score
from .disentanglement_edits import ManipulationDisentanglement, manipulation_disentanglement
from .generation import Estimate, FeatureStatistics, feature_statistics, fid, inception_score, precision_recall
from .geometry import alignment, codebook_perplexity, participation_ratio, uniformity
from .gromov import cai_lim, gromov_wasserstein
from .knn import knn, nearest
from .linear import few_label_probe, linear_probe
from .lipschitz import jacobian_norms, lipschitz_ratios

__all__ = [
    "DCI",
    "Classification",
    "Estimate",
    "FeatureStatistics",
    "ManipulationDisentanglement",
    "alignment",
    "beta_vae_score",
    "cai_lim",
    "codebook_perplexity",
    "dci",
    "factor_vae_score",
    "feature_statistics",
    "few_label",
    "few_label_probe",
    "fid",
    "gromov_wasserstein",
    "inception_score",
    "jacobian_norms",
    "knn",
    "linear_probe",
    "lipschitz_ratios",
    "manipulation_disentanglement",
    "mig",
    "modularity",
    "mutual_information",
    "nearest",
    "participation_ratio",
    "precision_recall",
    "sap",
    "uniformity",
]
