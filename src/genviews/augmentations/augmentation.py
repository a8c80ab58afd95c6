"""Image transforms T_x by name: how a view of an image is made."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..errors import OptionError, ShapeError
from ..randomness import Rng, as_seeds, uniform
from .color import COLOR_DRAWS, Colors, recolor, recolor_exact, sample_colors
from .filters import BLUR_DRAWS, blur, sample_blurs, solarise
from .geometry import AFFINE_DRAWS, CROP_DRAWS, AffineRanges, Affines, Crops, affine, resized_crop, sample_affines, sample_crops


@dataclass(frozen=True)
class Recipe:
    """What an augmentation does, in this order, with torchvision's distributions; the defaults do nothing.

    Attributes:
        crop: Range of the share of the image's area a random resized crop keeps; None for no crop.
        ratio: Range of a crop's width / height.
        flip: Probability of a mirror image.
        affine: Ranges of a random affine map; None for none.
        jitter: Strengths of brightness, contrast, saturation and hue, as ColorJitter's.
        jitter_probability: Of any jitter.
        grayscale: Probability.
        blur: Probability of a Gaussian blur.
        sigma: Range of a blur's standard deviation in pixels.
        solarise: Probability.
    """

    crop: tuple[float, float] | None = None
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.0
    affine: AffineRanges | None = None
    jitter: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    jitter_probability: float = 0.8
    grayscale: float = 0.0
    blur: float = 0.0
    sigma: tuple[float, float] = (0.1, 2.0)
    solarise: float = 0.0


_SIMCLR = Recipe(crop=(0.2, 1.0), flip=0.5, jitter=(0.4, 0.4, 0.4, 0.1), grayscale=0.2)

RECIPES = {
    "simclr": _SIMCLR,
    "no-color": replace(_SIMCLR, jitter=(0.0, 0.0, 0.0, 0.0), grayscale=0.0),
    "no-crop": replace(_SIMCLR, crop=None),
    "none": Recipe(),
    "mnist": Recipe(affine=AffineRanges()),
    "weak": Recipe(crop=(0.8, 1.0), flip=0.5),
    "flip": Recipe(flip=0.5),
    "infomin": replace(_SIMCLR, jitter=(0.8, 0.8, 0.8, 0.2), blur=0.5),
}
"""SimCLR's (Chen et al. 2020) as COP-Gen runs it, without blur, and its ablations; an affine map for digits; a mild crop
and flip, and a flip alone, for generated views; InfoMin's (Tian et al. 2020) without RandAugment."""


@dataclass(frozen=True)
class Parameters:
    """What was drawn for B images; None for what the recipe does not do.

    Attributes:
        crops: Boxes and mirror images.
        affines: Affine maps.
        colors: Changes of colour.
        blurs: Standard deviations float32 (B,) in pixels, 0 for none.
        solarised: bool (B,).
    """

    crops: Crops | None
    affines: Affines | None
    colors: Colors | None
    blurs: Tensor | None
    solarised: Tensor | None


class Augmentation(nn.Module):
    """T_x, an image transform: batched, random for each sample by itself, differentiable to the images.

    Args:
        recipe: What to do.
        size: Side of the result or (h, w); None keeps the images'.
        exact: Change colours as torchvision does, one by one with a clamp after each, instead of by one linear map.

    Raises:
        OptionError: If the size is not positive.
    """

    def __init__(self, recipe: Recipe, size: int | tuple[int, int] | None = None, exact: bool = False):
        super().__init__()
        self.recipe = recipe
        self.size = (size, size) if isinstance(size, int) else size
        if self.size is not None and min(self.size) < 1:
            raise OptionError(f"augmentation size is {size}; give a positive side, (h, w), or None to keep the images' own")
        self.recolor = recolor_exact if exact else recolor

    def forward(self, images: Tensor, rng: Rng = None) -> Tensor:
        """Augments each image by itself.

        Args:
            images: float32 (B, C, H, W) in [0, 1], C 1 or 3; half precision is widened.
            rng: A torch.Generator, or int64 seeds (B,), one a sample.

        Returns:
            float32 (B, C, h, w); in [0, 1] where colours change.

        Raises:
            ShapeError: If the images are not floating-point (B, 1 or 3, H, W).
        """
        if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.is_floating_point():
            raise ShapeError(
                f"augmentation got {images.dtype} {tuple(images.shape)}; give float images (B, 1 or 3, H, W), uint8 ones over 255"
            )
        images = images.to(torch.promote_types(images.dtype, torch.float32))
        batch, _, height, width = images.shape
        with torch.autocast(images.device.type, enabled=False):
            return self.transform(images, self.sample(as_seeds(rng, batch, images.device), (height, width)))

    def sample(self, seeds: Tensor, shape: tuple[int, int]) -> Parameters:
        """Draws what happens to images (B, C, *shape) from their seeds, int64 (B,)."""
        recipe = self.recipe
        size = self.size or shape
        draws = [CROP_DRAWS, AFFINE_DRAWS, COLOR_DRAWS, BLUR_DRAWS, 1]
        crop, move, color, soften, invert = uniform(seeds, sum(draws)).split(draws, dim=1)
        crops = recipe.crop or recipe.flip or size != shape
        colors = any(recipe.jitter) or recipe.grayscale
        return Parameters(
            crops=sample_crops(crop, shape, recipe.crop, recipe.ratio, recipe.flip) if crops else None,
            affines=sample_affines(move, size, recipe.affine) if recipe.affine else None,
            colors=sample_colors(color, recipe.jitter, recipe.jitter_probability, recipe.grayscale) if colors else None,
            blurs=sample_blurs(soften, recipe.blur, recipe.sigma) if recipe.blur else None,
            solarised=invert[:, 0] < recipe.solarise if recipe.solarise else None,
        )

    def transform(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Does to images (B, C, H, W) what `sample` drew for them."""
        if parameters.crops is not None:
            images = resized_crop(images, parameters.crops, self.size or (images.shape[2], images.shape[3]))
        if parameters.affines is not None:
            images = affine(images, parameters.affines)
        if parameters.colors is not None:
            images = self.recolor(images, parameters.colors)
        if parameters.blurs is not None:
            images = blur(images, parameters.blurs)
        if parameters.solarised is not None:
            images = solarise(images, parameters.solarised)
        return images


def available() -> tuple[str, ...]:
    """The names `create` knows."""
    return tuple(RECIPES)


def create(name: str, size: int | tuple[int, int] | None = None, exact: bool = False) -> Augmentation:
    """The augmentation of that name.

    Args:
        name: One of `available()`.
        size: Side of the result or (h, w); None keeps the images'.
        exact: Change colours as torchvision does, several times slower than by one linear map; see `recolor`.

    Raises:
        OptionError: If there is none of that name, or the size is not positive.
    """
    if name not in RECIPES:
        raise OptionError(f"there is no augmentation {name!r}; there are {', '.join(RECIPES)}")
    return Augmentation(RECIPES[name], size, exact)
