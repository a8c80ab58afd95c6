"""How well a generator models a data set: by features of its samples, by its likelihood and by its reconstructions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from tqdm import tqdm

from .. import metrics
from ..data import Images, Splits, extract
from ..data.features import evaluating
from ..encoders import Features
from ..errors import NonFiniteError, ShapeError, require_positive
from ..generators import Flow, Generator
from ..metrics import Estimate
from ..randomness import sample_seeds
from ..views import GeneratedImages

Score = Callable[[Tensor, Tensor], Tensor]
"""Images float32 (B, C, H, W) in [0, 1] and their seeds (B,) -> a number each (B,)."""


@dataclass(frozen=True)
class Generation:
    """How well a generator models a data set; `dataclasses.asdict` makes it JSON.

    Attributes:
        fid: Between the samples and the test images; see `metrics.fid`.
        precision: Fraction of the samples that lie among the test images; see `metrics.precision_recall`.
        recall: Fraction of the test images that lie among the samples.
        inception_score: Of the samples; None where the features are no classifier's.
        bits_per_dim: Of the test images, dequantised; None where the generator is no flow.
        reconstruction_error: Mean squared error a pixel of G(G.encode(x)), unclamped, of the test images x; None where the
            generator has no encoder.
        features: What the first four stand on.
        samples: How many samples.
        images: How many test images.
        truncation: psi of the samples; None for the generator's own.
        seed: Of the samples and the dequantisation.
    """

    fid: float
    precision: float
    recall: float
    inception_score: Estimate | None
    bits_per_dim: Estimate | None
    reconstruction_error: Estimate | None
    features: str
    samples: int
    images: int
    truncation: float | None
    seed: int


def generation(
    generator: Generator,
    data: Splits,
    features: Features,
    *,
    samples: int = 10_000,
    truncation: float | None = None,
    seed: int = 0,
    batch_size: int = 256,
) -> Generation:
    """Compares a generator with the test part of a data set, on the generator's device.

    Samples are clamped to [0, 1] and rounded to 8 bits, as the data are, before their features are taken. Conditions are drawn
    uniformly.

    Args:
        generator: G.
        data: Splits of images of the generator's shape; the training part is not looked at.
        features: See `encoders.features`; moved to the generator's device.
        samples: How many to draw.
        truncation: psi of `Generator.truncated`.
        seed: Sample i of a seed is the same for any batch size.
        batch_size: Images at once.

    Raises:
        ShapeError: If the data have another shape than the generator's images.
        OptionError: If `samples` or `batch_size` is not positive.
        DataError, NonFiniteError: As `extract` and the metrics do.
    """
    require_shape(data, generator)
    require_positive(samples=samples, batch_size=batch_size)
    if truncation is not None:
        generator = generator.truncated(truncation)
    real, _ = extract(features, data.test, batch_size, generator.device)
    generated, _ = extract(features, GeneratedImages(generator, samples, seed), batch_size, generator.device)
    precision, recall = metrics.precision_recall(real, generated)

    def squared_error(images: Tensor, _: Tensor) -> Tensor:
        return (generator(generator.encode(images)) - images).square().flatten(1).mean(1)

    average = partial(_average, images=data.test, seed=seed, batch_size=batch_size, device=generator.device)
    with evaluating(generator), torch.no_grad():
        return Generation(
            fid=metrics.fid(real, generated),
            precision=precision,
            recall=recall,
            inception_score=metrics.inception_score(features.head(generated.to(generator.device))) if features.head else None,
            bits_per_dim=average(generator.bits_per_dim) if isinstance(generator, Flow) else None,
            reconstruction_error=average(squared_error) if generator.encodes else None,
            features=features.name,
            samples=samples,
            images=len(data.test),
            truncation=truncation,
            seed=seed,
        )


def require_shape(data: Splits, generator: Generator) -> None:
    """Refuses data that a generator's images cannot be compared with.

    Raises:
        ShapeError: If the data have another shape than the generator's images.
    """
    if data.test.image_shape != generator.image_shape:
        raise ShapeError(
            f"the data are {data.test.image_shape}, the generator's images {generator.image_shape}; "
            f"load the data with image_size={generator.image_shape[-1]}, grey or in colour as the generator is"
        )


def _average(score: Score, images: Images, seed: int, batch_size: int, device: torch.device) -> Estimate:
    """The mean over images and its standard error."""
    parts = []
    for indices in tqdm(torch.arange(len(images)).split(batch_size), score.__name__, leave=False, disable=None):
        batch = images[indices][0].to(device).float() / 255
        parts.append(score(batch, sample_seeds(seed, indices).to(device)))
    scores = torch.cat(parts).double()
    if not (finite := scores.isfinite()).all():
        row = int(finite.int().argmin())
        raise NonFiniteError(f"{score.__name__} of test image {row} is {scores[row]:g}; look at the generator's weights")
    std, mean = torch.std_mean(scores)
    return Estimate(float(mean), float(std) / len(images) ** 0.5)
