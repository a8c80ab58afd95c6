"""Views of real images that are rendered in the training step, from latents that move."""

import torch
from torch import Tensor, nn

from ..data import Images
from ..errors import OptionError, ShapeError, require_positive
from ..generators.base import Generator
from ..latents.search import fast_gradient_views
from ..latents.transforms import LatentTransform
from ..randomness import as_seeds, derive
from .sources import Pair, RealViews

DRAWN = 1000
"""The key of the seeds of what is drawn for each image, beside those of T_x."""


class MovedViews(RealViews):
    """Real images, each with m views rendered in the training step from latents that `move`.

    Args:
        images: N real images or more.
        latents: w, float32 (N, D), of the first N images, inverted.
        generator: G, frozen, in the space of the latents.
        drawn: m.

    Raises:
        ShapeError: If the latents do not fit the images or the generator.
    """

    def __init__(self, images: Images, latents: Tensor, generator: Generator, drawn: int = 1):
        super().__init__(images)
        require_positive(drawn=drawn)
        require_fit(latents, images, generator)
        self.latents, self.generator, self.drawn = latents.cpu(), generator, drawn

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        return *self.images[indices], self.latents[indices]

    def move(self, latents: Tensor, seeds: Tensor, encoder: nn.Module | None) -> Tensor:
        """Where the m views of latents (B, D) are: (B, m, D)."""
        raise NotImplementedError

    @torch.no_grad()
    def forward(self, *fetched: Tensor, seeds: Tensor | None = None, encoder: nn.Module | None = None) -> Pair:
        *real, latents = fetched
        moved = self.move(latents, derive(as_seeds(seeds, len(latents), latents.device), DRAWN), encoder)
        return super().forward(*real)._replace(generated=render_rows(self.generator, moved))


class PerturbedViews(MovedViews):
    """W-perturb in the training step, by a `transform`: a view is never seen twice."""

    def __init__(self, images: Images, latents: Tensor, generator: Generator, transform: LatentTransform, drawn: int = 1):
        super().__init__(images, latents, generator, drawn)
        self.transform = transform

    def move(self, latents: Tensor, seeds: Tensor, encoder: nn.Module | None) -> Tensor:
        return perturbed(self.transform, latents, self.drawn, seeds)


class SearchedViews(MovedViews):
    """W-search in the training step, against the encoder as it is then: one signed gradient `step` (Appendix E)."""

    def __init__(self, images: Images, latents: Tensor, generator: Generator, step: float = 0.1, drawn: int = 1):
        super().__init__(images, latents, generator, drawn)
        require_positive(step=step)
        self.step = step

    def move(self, latents: Tensor, seeds: Tensor, encoder: nn.Module | None) -> Tensor:
        if encoder is None:
            raise OptionError("views searched in the training step need its encoder; pass encoder=")
        return fast_gradient_views(self.generator, encoder, latents, self.step, self.drawn, seeds)


def require_fit(latents: Tensor, images: Images, generator: Generator) -> None:
    """Refuses latents that are not those of the images, in the space of the generator.

    Raises:
        ShapeError: Names the shapes.
    """
    if images.image_shape != generator.image_shape:
        raise ShapeError(f"images are {images.image_shape}, the generator's {generator.image_shape}; load them at its size")
    if latents.ndim != 2 or latents.shape[1] != generator.latent_dim or len(latents) > len(images):
        raise ShapeError(
            f"latents are {tuple(latents.shape)} for {len(images)} images and a generator of (B, {generator.latent_dim}); "
            "invert these images in this generator's space"
        )


def perturbed(transform: LatentTransform, latents: Tensor, count: int, seeds: Tensor) -> Tensor:
    """`count` moves of each latent (B, D) of the seeds (B,): (B, count, D)."""
    return torch.stack([transform(latents, derive(seeds, view)) for view in range(count)], dim=1)


def render_rows(generator: Generator, latents: Tensor) -> Tensor:
    """The images of rows of latents: (B, m, D) -> float32 (B, m, C, H, W)."""
    return generator(latents.flatten(0, 1)).unflatten(0, latents.shape[:2])
