"""Rendered pairs as a source of views."""

import torch
from torch import Tensor

from ..errors import OptionError
from ..generators.base import Generator
from .cop_gen_layout import CopGenFolder
from .sources import Views
from .store import Store


class RenderedViews(Views):
    """Pairs read from disk; those of a store of latents alone are rendered in the training step.

    Args:
        pairs: A store, or a folder in the original projects' layout.
        generator: Renders a store of latents; superfluous otherwise.

    Raises:
        OptionError: If the store holds latents only and there is no generator.
    """

    def __init__(self, pairs: Store | CopGenFolder, generator: Generator | None = None):
        super().__init__()
        self.pairs, self.image_shape = pairs, pairs.image_shape
        self.generator = generator if isinstance(pairs, Store) and pairs.config.codec == "latents" else None
        if isinstance(pairs, Store) and pairs.config.codec == "latents" and generator is None:
            raise OptionError(f"{pairs.path} holds latents only; name the generator that renders them")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        if self.generator is None:
            return self.pairs[indices][:2]
        latents, condition = self.pairs.latents(indices), self.pairs.condition(indices)
        return latents if condition is None else (*latents, condition)

    @torch.no_grad()
    def forward(self, *fetched: Tensor) -> tuple[Tensor, Tensor]:
        if self.generator is None:
            return fetched[0].float() / 255, fetched[1].float() / 255
        condition = fetched[2].repeat(2) if len(fetched) > 2 else None
        first, second = self.generator(torch.cat(fetched[:2]), condition).chunk(2)
        return first, second
