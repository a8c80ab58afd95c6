"""What the commands on views of real images open first."""

from pathlib import Path

from .. import data as datasets
from .. import generators
from ..data import BadFile, Images
from ..generators import Generator
from ..views import Inversion


def opened(inverted: Path, generator: str, data: str, on_bad_file: BadFile) -> tuple[Inversion, Generator, Images]:
    """An inversion, the generator in its latent space, and the images of which it is.

    Raises:
        RunError: If the inversion is of another generator, or of other images.
    """
    inversion = Inversion.load(inverted)
    found = generators.load(generator).in_space(inversion.space)
    images = datasets.load(data, found.image_shape[-1], on_bad_file=on_bad_file).train
    inversion.check(found, images)
    return inversion, found, images
