"""The generator every part of the house sees: latents (B, D) in, images (B, C, H, W) in [0, 1] out."""

import copy
import math
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from ..errors import GenviewsError, OptionError, ShapeError
from ..randomness import Rng, as_seeds, prior, uniform

Parts = tuple[dict[str, Any], dict[str, Tensor]]
"""What makes a generator: its constructor's keyword arguments and its state dict."""


class Generator(nn.Module):
    """A pretrained image generator G.

    A family subclasses this, sets `latent_dim`, `image_shape` and `config` and implements `generate`; where it can, also `encode`
    (images -> latents) and `log_prob` (images -> log-likelihood); where public checkpoints exist, `recognise`.

    Attributes:
        latent_dim: D, the size of a latent.
        image_shape: (C, H, W).
        num_conditions: How many conditions (classes or stored instances) there are; None if unconditional.
        default_condition: The condition of latents that come without one, of a generator that passes for unconditional.
        truncation: psi of `sample_latents` unless it is given one; see `truncated`.
        autocast: Renders in bfloat16 where PyTorch's autocast holds it safe; images stay float32.
        config: The keyword arguments that build the same architecture again.
        files: Names, or patterns of them, that the family's original project gives its weights in a folder.
        spaces: Those of `in_space`.
        telltales: Tensors by which `recognise` knows the family's state dicts.
        discrete: Whether images change in jumps as the latents move, so that derivatives tell nothing.
    """

    latent_dim: int
    image_shape: tuple[int, int, int]
    num_conditions: int | None = None
    default_condition: int | None = None
    truncation: float | None = None
    autocast: bool = False
    config: dict[str, Any]
    files: ClassVar[tuple[str, ...]] = ()
    spaces: ClassVar[tuple[str, ...]] = ("z",)
    telltales: ClassVar[frozenset[str]] = frozenset()
    discrete: ClassVar[bool] = False

    @classmethod
    def for_images(cls, image_shape: tuple[int, int, int], conditions: Any = None, **options: Any) -> "Generator":
        """An untrained generator, of a size that a CPU trains.

        Args:
            image_shape: (C, H, W).
            conditions: The number of classes, or the instances' features (N, F), of a conditional family.
            options: Of the constructor, instead of its defaults.
        """
        return cls(image_shape=image_shape, **options)

    @classmethod
    def recognise(cls, content: Any, path: Path) -> Parts | None:
        """The generator in someone's checkpoint.

        Args:
            content: What `checkpoints.read` found in the file.
            path: Of the file; the original project may have left its options beside it.

        Returns:
            The constructor's arguments and the state dict, or None if the file is another family's.

        Raises:
            CheckpointError: If it is of this family but of a kind that cannot be read; says why.
        """
        return None

    @staticmethod
    def original_name(name: str) -> str:
        """What the original project calls a tensor of our state dict, for messages."""
        return name

    def forward(self, latents: Tensor, condition: Tensor | None = None) -> Tensor:
        """Renders latents.

        Args:
            latents: float32 (B, D).
            condition: int64 (B,) for a conditional generator, else None.

        Returns:
            float32 (B, C, H, W), nominally in [0, 1], not clamped, differentiable to the latents.

        Raises:
            ShapeError: If the latents are not (B, D) or the condition is missing, superfluous or no integers (B,).
            OptionError: If there is no such condition, where the device tells.
        """
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim:
            raise ShapeError(
                f"{type(self).__name__} takes latents (B, {self.latent_dim}), got {tuple(latents.shape)}; "
                "draw them with sample_latents or use the transform trained for this generator"
            )
        if condition is None and self.num_conditions is not None:
            raise ShapeError(f"{type(self).__name__} takes a condition (B,) below {self.num_conditions}")
        if condition is not None and self.num_conditions is None and self.default_condition is None:
            raise ShapeError(f"{type(self).__name__} takes no condition")
        if condition is not None and (condition.shape != latents.shape[:1] or condition.is_floating_point()):
            raise ShapeError(f"condition is {condition.dtype} {tuple(condition.shape)}, expected ({len(latents)},) of integers")
        if condition is None and self.default_condition is not None:
            condition = torch.full((len(latents),), self.default_condition, device=latents.device)
        dtype = torch.promote_types(latents.dtype, torch.float32)
        try:
            with torch.autocast(latents.device.type, torch.bfloat16, enabled=self.autocast):
                return self.generate(latents.to(dtype), condition).to(dtype)
        except (IndexError, RuntimeError):  # only now, for to look into a condition waits for the GPU
            count = self.num_conditions
            if condition is None or count is None or 0 <= condition.min() <= condition.max() < count:
                raise
            raise OptionError(
                f"condition is from {condition.min()} to {condition.max()}; the conditions are 0 to {count - 1}"
            ) from None

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        """What a family implements: `forward` after its checks."""
        raise NotImplementedError

    def encode(self, images: Tensor) -> Tensor:
        """The latents (B, D) of images (B, C, H, W) in [0, 1]: exact for a flow, the posterior mean for a VAE."""
        raise GenviewsError(f"{type(self).__name__} has no encoder; invert images by optimisation instead")

    @property
    def encodes(self) -> bool:
        """Whether it can `encode`."""
        return type(self).encode is not Generator.encode

    def log_prob(self, images: Tensor) -> Tensor:
        """Log-density (B,) in nats of images (B, C, H, W) in [0, 1], for generators that have one."""
        raise GenviewsError(f"{type(self).__name__} has no likelihood; a flow does")

    def sample_latents(self, n: int, *, truncation: float | None = None, rng: Rng = None) -> Tensor:
        """Draws latents from the prior N(0, I).

        Args:
            n: How many.
            truncation: psi: a standard normal truncated at two standard deviations, times psi (BigGAN's and COP-Gen's
                sampling); None for the generator's own `truncation`, the plain prior unless it was `truncated`.
            rng: A torch.Generator, or int64 seeds (n,), one a sample.

        Returns:
            float32 (n, D), on the generator's device.
        """
        return prior(as_seeds(rng, n, self.device), self.latent_dim, self.truncation if truncation is None else truncation)

    def truncated(self, psi: float) -> Self:
        """The same generator, sharing its weights, that trades variety for quality in its family's own way.

        Args:
            psi: 1 for all the variety, less for typical images. Here it scales a truncated normal (`sample_latents`); BigGAN-deep
                also takes its BatchNorm statistics; StyleGAN2 draws w to the mean; a flow's and a CodeGPT's is the temperature.
        """
        if not 0 <= psi < math.inf:
            raise OptionError(f"truncation is {psi}; it is 0 or more, and 1 for all the variety")
        other = copy.copy(self)
        other.truncation = psi
        return other

    def in_space(self, space: str) -> "Generator":
        """The same generator seen from another of its latent `spaces`; "z" is the one every generator has."""
        if space not in self.spaces:
            raise OptionError(f"{type(self).__name__} has no latent space {space!r}; it has {', '.join(self.spaces)}")
        return self

    def first_weights(self) -> list[Tensor]:
        """The weights (outputs, D) that meet the latent first: of one layer, or of each where it enters several.

        Raises:
            GenviewsError: If there are none, for the latent meets something else first, or they are unknown.
        """
        raise GenviewsError(
            f"{type(self).__name__} has no weights that meet its latents first, or does not tell them; "
            "latent-discovery, disco and deep-spectral do without"
        )

    def with_instances(self, features: Tensor | str | Path, labels: Tensor | None = None) -> "Generator":
        """The same generator conditioned on these instances, for families that are; see `ICGAN.with_instances`."""
        raise OptionError(f"{type(self).__name__} is conditioned on no instances; IC-GAN is")

    @property
    def device(self) -> torch.device:
        tensor = next(self.parameters(), None)
        return torch.device("cpu") if tensor is None else tensor.device

    def require_smooth(self) -> None:
        """Refuses a `discrete` generator, for what follows derivatives to its latents.

        Raises:
            OptionError: If it is one.
        """
        if self.discrete:
            raise OptionError(f"the images of a {type(self).__name__} jump as its latents move; name a generator without codes")

    def frozen(self) -> Self:
        """In eval mode and without gradients to the weights; gradients to the latents stay."""
        return self.eval().requires_grad_(False)


class VAE(Generator):
    """A decoder p(x | z) with its encoder q(z | x), a diagonal normal."""

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and log-variance of q(z | x), (B, D) each, of images (B, C, H, W) in [0, 1]."""
        raise NotImplementedError

    def encode(self, images: Tensor) -> Tensor:
        return self.posterior(images)[0]


class Flow(Generator):
    """An invertible generator with a density, whose latents have as many dimensions as its images.

    A grey value v in [0, 1] of `levels` stands for the bin [k, k + 1] / levels, k = floor(v * levels), of the density's images.

    Attributes:
        levels: Grey values: 256 for 8-bit images.
        bin_width: Of a grey value, in units of the density's images.
        temperature: Standard deviation of the latents that are drawn.
    """

    levels: int
    temperature: float = 1.0

    @property
    def bin_width(self) -> float:
        return 1 / self.levels

    def sample_latents(self, n: int, *, truncation: float | None = None, rng: Rng = None) -> Tensor:
        if truncation is not None:
            return super().sample_latents(n, truncation=truncation, rng=rng)
        return self.temperature * super().sample_latents(n, rng=rng)

    def truncated(self, psi: float) -> Self:
        """At the temperature psi: latents from N(0, psi^2 I)."""
        other = super().truncated(psi)
        other.truncation, other.temperature = None, psi
        return other

    def dequantise(self, images: Tensor, rng: Rng = None) -> Tensor:
        """Images (B, C, H, W) in [0, 1], each grey value spread evenly over its bin: what `log_prob` is maximised of."""
        noise = uniform(as_seeds(rng, len(images), images.device), self.latent_dim).reshape(images.shape)
        return ((images * self.levels).floor().clamp(max=self.levels - 1) + noise) / self.levels

    def bits_per_dim(self, images: Tensor, rng: Rng = None) -> Tensor:
        """An upper bound (B,) on the bits a colour value takes, of images (B, C, H, W) in [0, 1] (Theis et al. 2016, eq. 5)."""
        log_prob = self.log_prob(self.dequantise(images, rng))
        return -(log_prob / self.latent_dim + math.log(self.bin_width)) / math.log(2)


class Wrapped(Generator):
    """A user's own module as a generator; see `wrap`."""

    def __init__(
        self,
        module: nn.Module,
        latent_dim: int,
        image_shape: tuple[int, int, int],
        output_range: tuple[float, float] = (-1.0, 1.0),
        num_conditions: int | None = None,
    ):
        super().__init__()
        low, high = output_range
        if not low < high:
            raise OptionError(f"output_range is {output_range}; give (low, high) with low < high")
        self.module = module
        self.latent_dim = latent_dim
        self.image_shape = image_shape
        self.num_conditions = num_conditions
        self.low, self.high = low, high

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        images = self.module(latents) if condition is None else self.module(latents, condition)
        try:
            images = images.reshape(len(latents), *self.image_shape)
        except RuntimeError:
            raise ShapeError(
                f"the wrapped module returned {tuple(images.shape)} for {len(latents)} latents; image_shape={self.image_shape}"
            ) from None
        return (images - self.low) / (self.high - self.low)


def wrap(
    module: nn.Module,
    *,
    latent_dim: int,
    image_shape: tuple[int, int, int],
    output_range: tuple[float, float] = (-1.0, 1.0),
    num_conditions: int | None = None,
) -> Generator:
    """Makes a generator of any module.

    Args:
        module: Called as module(latents (B, D)) or, if conditional, module(latents, condition (B,)); its output is reshaped to
            (B, *image_shape).
        latent_dim: D.
        image_shape: (C, H, W).
        output_range: What black and white are in the module's output; mapped to [0, 1].
        num_conditions: How many conditions it takes, None if none.

    Returns:
        A frozen Generator.
    """
    return Wrapped(module, latent_dim, image_shape, output_range, num_conditions).frozen()
