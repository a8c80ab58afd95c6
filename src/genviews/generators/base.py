"""The generator every part of the house sees: latents (B, D) in, images (B, C, H, W) in [0, 1] out."""

from typing import Any, Self

import torch
from torch import Tensor, nn

from ..errors import GenviewsError, OptionError, ShapeError
from ..randomness import Rng, as_seeds, prior

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
        config: The keyword arguments that build the same architecture again.
    """

    latent_dim: int
    image_shape: tuple[int, int, int]
    num_conditions: int | None = None
    config: dict[str, Any]

    @classmethod
    def recognise(cls, content: Any) -> Parts | None:
        """The generator that the content of someone's checkpoint (`checkpoints.read`) holds; None if it is another family's."""
        return None

    def forward(self, latents: Tensor, condition: Tensor | None = None) -> Tensor:
        """Renders latents.

        Args:
            latents: float32 (B, D).
            condition: int64 (B,) for a conditional generator, else None.

        Returns:
            float32 (B, C, H, W), nominally in [0, 1], not clamped, differentiable to the latents.

        Raises:
            ShapeError: If the latents are not (B, D) or the condition is missing, superfluous or not (B,).
        """
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim:
            raise ShapeError(
                f"{type(self).__name__} takes latents (B, {self.latent_dim}), got {tuple(latents.shape)}; "
                "draw them with sample_latents or use the transform trained for this generator"
            )
        if (condition is None) != (self.num_conditions is None):
            need = "no condition" if self.num_conditions is None else f"a condition (B,) below {self.num_conditions}"
            raise ShapeError(f"{type(self).__name__} takes {need}")
        if condition is not None and condition.shape != latents.shape[:1]:
            raise ShapeError(f"condition has shape {tuple(condition.shape)}, expected ({len(latents)},)")
        with torch.autocast(latents.device.type, enabled=False):
            return self.generate(latents.to(torch.promote_types(latents.dtype, torch.float32)), condition)

    def generate(self, latents: Tensor, condition: Tensor | None) -> Tensor:
        """What a family implements: `forward` after its checks."""
        raise NotImplementedError

    def encode(self, images: Tensor) -> Tensor:
        """The latents (B, D) of images (B, C, H, W) in [0, 1]: exact for a flow, the posterior mean for a VAE."""
        raise GenviewsError(f"{type(self).__name__} has no encoder; invert images by optimisation instead")

    def log_prob(self, images: Tensor) -> Tensor:
        """Log-density (B,) in nats of images (B, C, H, W) in [0, 1], for generators that have one."""
        raise GenviewsError(f"{type(self).__name__} has no likelihood; a flow does")

    def sample_latents(self, n: int, *, truncation: float | None = None, rng: Rng = None) -> Tensor:
        """Draws latents from the prior N(0, I).

        Args:
            n: How many.
            truncation: psi: a standard normal truncated at two standard deviations, times psi (BigGAN's and COP-Gen's
                sampling); None for the plain prior.
            rng: A torch.Generator, or int64 seeds (n,), one a sample.

        Returns:
            float32 (n, D), on the generator's device.
        """
        return prior(as_seeds(rng, n, self.device), self.latent_dim, truncation)

    def in_space(self, space: str) -> "Generator":
        """The same generator seen from another of its latent spaces ('z' is the one every generator has)."""
        if space != "z":
            raise OptionError(f"{type(self).__name__} has no latent space {space!r}; it has 'z'")
        return self

    @property
    def device(self) -> torch.device:
        tensor = next(self.parameters(), None)
        return torch.device("cpu") if tensor is None else tensor.device

    def frozen(self) -> Self:
        """In eval mode and without gradients to the weights; gradients to the latents stay."""
        return self.eval().requires_grad_(False)


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
