"""How well the codes of images keep apart the factors that made them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ..data import Subset, extract
from ..data.factor_dataset import FactorDataset
from ..errors import OptionError, ShapeError, require_positive
from ..generators import Generator
from ..metrics import DCI, beta_vae_score, dci, factor_vae_score, mig, modularity, sap
from ..metrics.disentanglement import Estimator, constant_dimensions
from ..randomness import derive, sample_seeds

Metric = Literal["mig", "dci", "factor_vae", "beta_vae", "modularity", "sap"]

Coder = nn.Module | Callable[[Tensor], Tensor]
"""float32 images (B, C, H, W) in [0, 1] -> codes (B, D), or a generator that encodes."""


@dataclass(frozen=True)
class Disentanglement:
    """How disentangled codes are; `dataclasses.asdict` makes it JSON. None where a metric was not asked for.

    Attributes:
        mig: See `metrics.mig`.
        dci: See `metrics.dci`.
        factor_vae: See `metrics.factor_vae_score`.
        beta_vae: See `metrics.beta_vae_score`.
        modularity: See `metrics.modularity`.
        sap: See `metrics.sap`.
        dimensions: D, of a code.
        constant: The dimensions that have one value.
        images: How many images were encoded, each once.
        samples: Codes that were scored, or batches that were fitted to.
        seed: Of all draws.
    """

    mig: float | None
    dci: DCI | None
    factor_vae: float | None
    beta_vae: float | None
    modularity: float | None
    sap: float | None
    dimensions: int
    constant: list[int]
    images: int
    samples: int
    seed: int


def disentanglement(
    encoder: Coder,
    data: FactorDataset,
    *,
    metrics: Sequence[Metric] = ("mig", "dci", "factor_vae", "beta_vae"),
    samples: int = 10_000,
    estimator: Estimator = "binned",
    seed: int = 0,
    batch_size: int = 256,
    device: torch.device | str | None = None,
) -> Disentanglement:
    """Scores codes by the protocol of disentanglement_lib (Locatello et al. 2019) and DisCo (Ren et al. 2022).

    Args:
        encoder: float32 images (B, C, H, W) in [0, 1] -> codes (B, D); or a generator that encodes: a VAE's means, a flow's
            latents. A module works in eval mode.
        data: Images of all combinations of some factors.
        metrics: Those to compute; SAP's linear SVMs take minutes.
        samples: Codes that MIG, modularity, DCI and SAP see, with half as many to test DCI and SAP; batches that the beta-VAE and
            FactorVAE scores are fitted to, with half as many to test them.
        estimator: Of `metrics.dci`.
        seed: Of all draws.
        batch_size: Images at once.
        device: To encode on; None for where the encoder is.

    Raises:
        OptionError: If there is no such metric, there are fewer than four samples, or the batch size is not positive.
        ShapeError: If a generator makes images of another shape than the data's.
        DataError, ShapeError, NonFiniteError: As `extract` and the metrics do.
    """
    if unknown := [name for name in metrics if name not in get_args(Metric)]:
        raise OptionError(f"metric {unknown[0]!r} is unknown; choose from {', '.join(get_args(Metric))}")
    require_positive(batch_size=batch_size)
    if samples < 4:
        raise OptionError(f"samples is {samples}; it must be 4 or more, for half as many are tested on")
    table = CodeTable(encoder, data, batch_size, device)
    draws = derive(sample_seeds(seed, torch.arange(samples + samples // 2)), 2) % len(data)
    factors = data.factors(draws)
    parts = [(table(part), part) for part in factors.split([samples, samples // 2])]
    batches = {"train": samples, "test": samples // 2, "seed": seed}
    scores: dict[str, Callable[[], Any]] = {
        "mig": lambda: mig(*parts[0]),
        "dci": lambda: dci(*parts, estimator=estimator),
        "factor_vae": lambda: factor_vae_score(table, data.factor_sizes, **batches),
        "beta_vae": lambda: beta_vae_score(table, data.factor_sizes, **batches),
        "modularity": lambda: modularity(*parts[0]),
        "sap": lambda: sap(*parts),
    }
    return Disentanglement(
        **{name: score() if name in metrics else None for name, score in scores.items()},
        dimensions=parts[0][0].shape[1],
        constant=constant_dimensions(parts[0][0]),
        images=len(table.codes),
        samples=samples,
        seed=seed,
    )


class CodeTable:
    """Factors int64 (n, F) -> codes float32 (n, D); an image is encoded when it is first asked for.

    Args:
        encoder: See `disentanglement`.
        data: The images.
        batch_size: Images that are encoded at once.
        device: To encode on; None for where the encoder is.

    Attributes:
        codes: Of the images that were asked for, (n, D).

    Raises:
        ShapeError: If the encoder is a generator that makes images of another shape.
    """

    def __init__(self, encoder: Coder, data: FactorDataset, batch_size: int = 256, device: torch.device | str | None = None):
        if isinstance(encoder, Generator) and encoder.image_shape != data.image_shape:
            raise ShapeError(
                f"the images are {data.image_shape}, {type(encoder).__name__} encodes {encoder.image_shape}; "
                "make them of its size, or take data of as many channels"
            )
        self.coder, self.data, self.batch_size, self.device = _Coding(encoder), data, batch_size, device
        self.rows = torch.full((len(data),), -1)
        self.codes = torch.empty(0, 0)

    def __call__(self, factors: Tensor) -> Tensor:
        images = self.data.index(factors)
        new = images[self.rows[images] < 0].unique()
        if len(new):
            codes, _ = extract(self.coder, Subset(self.data, new), self.batch_size, self.device)
            self.rows[new] = len(self.codes) + torch.arange(len(new))
            self.codes = torch.cat([self.codes, codes]) if len(self.codes) else codes
        return self.codes[self.rows[images]]


class _Coding(nn.Module):
    """Images -> codes, as a module whatever it was."""

    def __init__(self, encoder: Coder):
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder.encode(images) if isinstance(self.encoder, Generator) else self.encoder(images)
