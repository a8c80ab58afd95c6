"""Metrics: arrays in, numbers out."""

from .classification import Classification, few_label
from .disentanglement import DCI, dci, mig, modularity, mutual_information, sap
from .disentanglement_batches import beta_vae_score, factor_vae_score
from .disentanglement_edits import ManipulationDisentanglement, manipulation_disentanglement
from .evidence import Evidence, evidence
from .generation import Estimate, FeatureStatistics, feature_statistics, fid, inception_score, precision_recall
from .geometry import alignment, codebook_perplexity, participation_ratio, uniformity
from .gromov import cai_lim, gromov_wasserstein
from .information import CriticOptions, dv_bound, info_nce_bound, inner_product_proxy, mine, nce_bound, nwj_bound
from .knn import knn, nearest
from .linear import few_label_probe, linear_probe
from .lipschitz import jacobian_norms, lipschitz_ratios
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
    "alignment",
    "beta_vae_score",
    "cai_lim",
    "codebook_perplexity",
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
    "gromov_wasserstein",
    "inception_score",
    "info_nce_bound",
    "inner_product_proxy",
    "jacobian_norms",
    "knn",
    "linear_probe",
    "lipschitz_ratios",
    "manipulation_disentanglement",
    "mig",
    "mine",
    "modularity",
    "mutual_information",
    "nce_bound",
    "nearest",
    "nwj_bound",
    "participation_ratio",
    "precision_recall",
    "sap",
    "uniformity",
]
