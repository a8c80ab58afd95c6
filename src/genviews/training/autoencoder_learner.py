"""What the autoencoders with a discriminator share: an encoder that may be kept as it is, and a decoder that may be weakened."""

from dataclasses import dataclass
from typing import Any, Literal, Self

from torch import nn

from ..errors import OptionError, require_choices
from .gans import GAN


@dataclass(frozen=True)
class Weakening:
    """How the decoder that an encoder is trained with is made weaker than the one that is trained after it.

    The papers do not say; dropout, and fewer channels as the alternative, are this project's choice.

    Attributes:
        by: "dropout" behind the decoder's activations, or "width".
        amount: Of the activations or channels, how many are left out, as a fraction.
    """

    by: Literal["dropout", "width"] = "dropout"
    amount: float = 0.4

    def __post_init__(self) -> None:
        require_choices(self)
        if not 0 < self.amount < 1:
            raise OptionError(f"amount is {self.amount}; it is a fraction between 0 and 1, such as 0.4")

    def decoder_width(self, width: int, multiple: int) -> int | None:
        """The decoder's width where the full one is `width`, to a whole `multiple`; None where it stays.

        Raises:
            OptionError: If none is left.
        """
        if self.by == "dropout":
            return None
        narrow = int((1 - self.amount) * width) // multiple * multiple
        if narrow < 1:
            raise OptionError(
                f"width {width} less {self.amount:g} of it leaves no multiple of {multiple}; weaken by dropout or widen it"
            )
        return narrow

    def apply(self, decoder: nn.Module) -> None:
        """Sets the dropout of a decoder, which has a place for it and keeps its weights' names."""
        for layer in decoder.modules():
            if isinstance(layer, nn.Dropout) and self.by == "dropout":
                layer.p = self.amount


class AutoencoderLearner(GAN):
    """An encoder, its decoder and a discriminator; a subclass adds the `training_step`.

    Args:
        *args: Of `GAN`, the generator one with `encoding`, the modules that make latents of images.
        kept: Whether those stay as they are, weights and buffers, in eval mode.
    """

    frozen_parts: tuple[str, ...] = ("views", "kept")
    generator: Any
    discriminator: Any

    def __init__(self, *args: Any, kept: bool = False):
        super().__init__(*args)
        self.kept = nn.ModuleList(self.generator.encoding if kept else []).requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.kept.eval()
        return self

    def parameter_groups(self) -> list[dict[str, Any]]:
        generator, *others = super().parameter_groups()
        return [{"params": [weight for weight in generator["params"] if weight.requires_grad]}, *others]
