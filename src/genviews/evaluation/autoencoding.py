"""How well an autoencoder reconstructs, and generates from its prior and from the latents of images."""

from dataclasses import dataclass, replace
from typing import Any

import torch

from .. import metrics
from ..data import Splits, Subset, extract, mapped
from ..encoders import Features
from ..errors import require_positive
from ..generators import VQGAN, Generator
from ..metrics import Estimate, codebook_perplexity, feature_statistics
from ..randomness import shuffled
from ..views import DecodedImages, GeneratedImages
from .generation import require_shape


@dataclass(frozen=True)
class Autoencoding:
    """How an autoencoder reconstructs and generates; `dataclasses.asdict` makes it JSON.

    Every FID is against the test images, but `reconstruction_fid_train`. Those of latents of images are None where the generator
    does not encode.

    Attributes:
        fid: Of samples from the prior.
        inception_score: Of these; None where the features are no classifier's.
        features: What the FIDs and the score stand on.
        samples: How many from the prior; of the training images at most as many.
        posterior_fid: Of samples from the aggregate posterior: G(z), z ~ q(z | x), x training images.
        reconstruction_fid: Of reconstructed test images.
        reconstruction_fid_train: Of reconstructed training images against these images.
        perplexity: Of the codes of the test images; None where there are none. Near 1 the codebook has collapsed.
    """

    fid: float
    inception_score: Estimate | None
    features: str
    samples: int
    posterior_fid: float | None = None
    reconstruction_fid: float | None = None
    reconstruction_fid_train: float | None = None
    perplexity: float | None = None


def autoencoding(
    generator: Generator,
    data: Splits,
    features: Features,
    *,
    samples: int = 10_000,
    seed: int = 0,
    batch_size: int = 256,
) -> Autoencoding:
    """Compares what an autoencoder makes with a data set, on the autoencoder's device; images are rounded to 8 bits, as files.

    Args:
        generator: A `VAE` or `VQGAN`, or any other generator, of whose samples alone this tells.
        data: Splits of images of its shape.
        features: See `encoders.features`; moved to the generator's device.
        samples: How many to draw.
        seed: Of the samples, and of the choice of training images.
        batch_size: Images at once.

    Raises:
        ShapeError: If the data have another shape than the generator's images.
        OptionError: If `samples` or `batch_size` is not positive.
        DataError, NonFiniteError: As `extract` and the metrics do.
    """
    require_shape(data, generator)
    require_positive(samples=samples, batch_size=batch_size)

    def seen(images: Any) -> torch.Tensor:
        return extract(features, images, batch_size, generator.device)[0]

    real = feature_statistics(seen(data.test))
    drawn = seen(GeneratedImages(generator, samples, seed))
    logits = features.head(drawn.to(generator.device)) if features.head else None
    found = Autoencoding(
        fid=metrics.fid(real, drawn),
        inception_score=None if logits is None else metrics.inception_score(logits),
        features=features.name,
        samples=samples,
    )
    if generator.encodes:
        train = Subset(data.train, shuffled(len(data.train), seed)[:samples])
        found = replace(
            found,
            posterior_fid=metrics.fid(real, seen(DecodedImages(generator, train, seed))),
            reconstruction_fid=metrics.fid(real, seen(DecodedImages(generator, data.test))),
            reconstruction_fid_train=metrics.fid(seen(train), seen(DecodedImages(generator, train))),
        )
    if isinstance(generator, VQGAN):
        codes = mapped(generator.tokens, data.test, batch_size, generator.device)
        found = replace(found, perplexity=codebook_perplexity(codes, generator.codes))
    return found
