"""Metrics: arrays in, numbers out."""

from .classification import Classification, few_label
from .disentanglement import DCI, dci, mig, modularity, mutual_information, sap
from .disentanglement_batches import beta_vae_score, factor_vae_score
from .disentanglement_edits import ManipulationDisentanglement, manipulation_disentanglement
from .evidence import Evidence, evidence
from .generation import Estimate, FeatureStatistics, feature_statistics, fid, inception_score, precision_recall
from .information import CriticOptions, dv_bound, info_nce_bound, inner_product_proxy, mine, nce_bound, nwj_bound
from .knn import knn, nearest
from .linear import few_label_probe, linear_probe
from .selection import feature_gates
from .stability import feature_stability

__all__ = [
    "DCI",
    "Classification",
    "CriticOptions",
    "Estimate",
    "Evidence",
    "FeatureStatistics",
    "ManipulationDisentanglement",
    "beta_vae_score",
    "dci",
    "dv_bound",
    "evidence",
    "factor_vae_score",
    "feature_gates",
    "feature_stability",
    "feature_statistics",
    "few_label",
    "few_label_probe",
    "fid",
    "inception_score",
    "info_nce_bound",
    "inner_product_proxy",
    "knn",
    "linear_probe",
    "manipulation_disentanglement",
    "mig",
    "mine",
    "modularity",
    "mutual_information",
    "nce_bound",
    "nearest",
    "nwj_bound",
    "precision_recall",
    "sap",
]
