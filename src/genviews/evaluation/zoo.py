"""ZooD (Dong et al. 2022): which encoders of a zoo, and which of their features, are worth most on a domain nobody has labelled.

That encoders are ranked by leave-one-domain-out evidence and stability, and that the features of the best are put together and
selected by variational EM, is the paper's. The equations are written from memory; choices beyond them are named where made.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..checkpoints import read, write_tensors
from ..data import DomainImages, FileImages, extract
from ..errors import DataError, NonFiniteError, OptionError, ShapeError, require_positive
from ..metrics import evidence, feature_gates, feature_stability
from ..views.rendering import describe
from .ood import probe_out


@dataclass(frozen=True)
class ZooOptions:
    """How a zoo is ranked and put together; the paper's K and classifier are not known here.

    Attributes:
        top: K, how many encoders' features are put together, or all if there are fewer.
        shrinkage: Of `metrics.feature_stability`.
        trials: Splits of the training domains that an accuracy is averaged over.
        seed: Of the first trial.
    """

    top: int = 3
    shrinkage: float = 0.1
    trials: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(top=self.top, shrinkage=self.shrinkage, trials=self.trials)


@dataclass(frozen=True)
class Transferability:
    """What features promise on a new domain, in nats a number.

    Attributes:
        discriminability: The mean log likelihood of a label (of one class against the rest) there.
        stability: The mean log density of a feature there.
        score: Their sum, which encoders are ranked by.
    """

    discriminability: float
    stability: float
    score: float


@dataclass(frozen=True)
class Fold:
    """One domain held out: what was chosen by the others, and how well it does.

    Attributes:
        domain: Its name.
        scores: Encoder -> what its features on the other domains promise.
        accuracy: Encoder -> top-1 of a linear head on this domain, in [0, 1].
        tau: Kendall's rank correlation between the two, in [-1, 1]; 0 where one of them is constant.
        chosen: The encoders of the highest scores, the best first.
        single: Top-1 of the best alone.
        ensemble: Top-1 of all their features.
        selection: Top-1 of those features that were selected.
        kept: Encoder -> the share of its features that was.
    """

    domain: str
    scores: dict[str, Transferability]
    accuracy: dict[str, float]
    tau: float
    chosen: list[str]
    single: float
    ensemble: float
    selection: float
    kept: dict[str, float]


@dataclass(frozen=True)
class Zoo:
    """A ranked zoo; `dataclasses.asdict` makes it JSON.

    Attributes:
        folds: Each domain held out in turn.
        scores: Encoder -> means over the folds, from the best to the worst.
        accuracy: Encoder -> mean top-1 over the folds.
        tau: Mean over the folds, as are the accuracies `single`, `ensemble` and `selection`.
    """

    folds: list[Fold]
    scores: dict[str, Transferability]
    accuracy: dict[str, float]
    tau: float
    single: float
    ensemble: float
    selection: float


def encode(
    name: str, encoder: nn.Module, data: DomainImages, folder: Path | None = None, device: torch.device | None = None
) -> Tensor:
    """The features of one encoder, kept in a folder; images in files are decoded at the size that the encoder takes.

    Args:
        name: Of the encoder, for files and errors.
        encoder: float32 images (B, C, H, W) in [0, 1] -> (B, D).
        data: N images.
        folder: Where features are kept, by name and hashes of the encoder and the images, and taken from; None keeps nothing.
        device: To encode on; None for where the encoder is.

    Returns:
        float32 (N, D).

    Raises:
        ShapeError: If the encoder cannot take the images; names it.
        NonFiniteError: If a feature is NaN or infinite; names the encoder too.
    """
    path = folder / f"{name}-{describe(encoder)['sha256'][:16]}-{data.fingerprint[:16]}.safetensors" if folder else None
    if path and path.exists():
        return read(path)["features"]
    images, size = data.images, getattr(encoder, "image_size", None)
    if size and isinstance(images, FileImages):
        images = images.resized(size)
    try:
        features, _ = extract(encoder, images, device=device)
    except NonFiniteError as error:
        raise NonFiniteError(f"encoder {name}: {error}, or leave it out of the zoo") from None
    except (AssertionError, RuntimeError, ShapeError) as error:
        raise ShapeError(
            f"encoder {name} cannot take images {images.image_shape} ({error}); leave it out, or set image_size"
        ) from None
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(path, {"features": features})
    return features


def transferability(features: Tensor, labels: Tensor, domains: Tensor, shrinkage: float = 0.1) -> Transferability:
    """What features promise on a domain that is not among these, by leaving out each of these in turn.

    With Phi, y of the others and Phi', y' of the domain left out, discriminability is log p(y' | Phi', y, Phi), the evidence of
    both together less that of (Phi, y), and stability is log p(Phi' | Phi); see `metrics.evidence` and
    `metrics.feature_stability`. Each is a mean over the domains left out. So that neither grows with the number of images,
    classes or features, this project divides the first by images and classes, the second by images and features.

    Args:
        features: (N, D).
        labels: int64 (N,).
        domains: int64 (N,), two or more.
        shrinkage: Of the covariance.

    Raises:
        DataError: If there is one domain alone, and as the metrics do.
    """
    found = domains.unique()
    if len(found) < 2:
        raise DataError(f"domain {found.tolist()} is alone; to leave one of those that are seen out takes two or more")
    together = evidence(features, labels).log_likelihood
    discriminability, stability = [], []
    for domain in found:
        new = domains == domain
        alone = evidence(features[~new], labels[~new]).log_likelihood
        discriminability.append(float((together - alone).mean() / new.sum()))
        stability.append(feature_stability(features[~new], features[new], shrinkage))
    return Transferability(fmean(discriminability), fmean(stability), fmean(discriminability) + fmean(stability))


def hold_out(features: Mapping[str, Tensor], data: DomainImages, domain: int, options: ZooOptions | None = None) -> Fold:
    """Ranks, chooses and selects by all domains but one, whose images none of it sees, and scores the choice on that one.

    Args:
        features: Encoder -> (N, D).
        data: Whose features they are; only labels and domains are read.
        domain: Which is held out.
        options: See `ZooOptions`.

    Raises:
        OptionError: If there are fewer than two encoders.
        DataError: If there are fewer than three domains, or features are of other images.
    """
    from scipy.stats import kendalltau

    o = options or ZooOptions()
    _check(features, data)
    seen = data.domains != domain
    labels, domains = data.labels[seen], data.domains[seen]

    def accuracy(found: Tensor) -> float:
        return fmean(probe_out(found, data, domain, o.seed + trial).top1 for trial in range(o.trials))

    scores = {name: transferability(found[seen], labels, domains, o.shrinkage) for name, found in features.items()}
    accuracies = {name: accuracy(found) for name, found in features.items()}
    tau = float(kendalltau([scores[name].score for name in features], [accuracies[name] for name in features]).statistic)
    chosen = sorted(features, key=lambda name: -scores[name].score)[: o.top]
    together = torch.cat([features[name] for name in chosen], 1)
    gates = feature_gates(together[seen], labels)
    kept = (gates > 0.5) | (gates == gates.max())  # one at least
    shares = {
        name: float(part.double().mean())
        for name, part in zip(chosen, kept.split([features[name].shape[1] for name in chosen]), strict=True)
    }
    return Fold(
        domain=data.domain_names[domain],
        scores=scores,
        accuracy=accuracies,
        tau=0.0 if math.isnan(tau) else tau,
        chosen=chosen,
        single=accuracies[chosen[0]],
        ensemble=accuracy(together),
        selection=accuracy(together[:, kept]),
        kept=shares,
    )


def zoo(features: Mapping[str, Tensor], data: DomainImages, options: ZooOptions | None = None) -> Zoo:
    """Holds out each domain in turn; see `hold_out` for the arguments and errors, and `encode` for the features."""
    bar = tqdm(range(len(data.domain_names)), "domains held out", delay=2, leave=False, disable=None)
    return mean_of([hold_out(features, data, domain, options) for domain in bar])


def mean_of(folds: list[Fold]) -> Zoo:
    """The means over folds."""

    def mean(name: str, part: str) -> float:
        return fmean(getattr(fold.scores[name], part) for fold in folds)

    names = sorted(folds[0].scores, key=lambda name: -mean(name, "score"))
    return Zoo(
        folds,
        {name: Transferability(*(mean(name, part) for part in ("discriminability", "stability", "score"))) for name in names},
        {name: fmean(fold.accuracy[name] for fold in folds) for name in names},
        *(fmean(getattr(fold, key) for fold in folds) for key in ("tau", "single", "ensemble", "selection")),
    )


def _check(features: Mapping[str, Tensor], data: DomainImages) -> None:
    if len(features) < 2:
        raise OptionError(f"the zoo holds {', '.join(features) or 'no encoder'}; a ranking takes two or more")
    if len(data.domain_names) < 3:
        raise DataError(f"{data.name} holds domains {', '.join(data.domain_names)}; ranking without the one held out takes three")
    for name, found in features.items():
        if len(found) != len(data.labels):
            raise DataError(
                f"{name} has features of {len(found)} images, of which there are {len(data.labels)}; encode them again"
            )
