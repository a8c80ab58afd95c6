"""Rendered pairs as a source of views."""

import torch
from torch import Tensor

from ..errors import DataError, OptionError
from ..generators.base import Generator
from .cop_gen_layout import CopGenFolder
from .sources import Views, render_pair
from .store import Store


class RenderedViews(Views):
    """Pairs read from disk; those of a store of latents alone are rendered in the training step.

    Args:
        pairs: A store, or a folder in the original projects' layout.
        generator: Renders a store of latents; superfluous otherwise.

    Raises:
        OptionError: If the store holds latents only and there is no generator.
        DataError: If the store is not rendered to its end.
    """

    def __init__(self, pairs: Store | CopGenFolder, generator: Generator | None = None):
        super().__init__()
        self.pairs, self.image_shape = pairs, pairs.image_shape
        self.latents = pairs if isinstance(pairs, Store) and pairs.config.codec == "latents" else None
        self.generator = generator if self.latents else None
        if isinstance(pairs, Store) and pairs.missing:
            raise DataError(f"{pairs.path} lacks {len(pairs.missing)} shards; render it to its end with --resume")
        if self.latents and not generator:
            raise OptionError(f"{self.latents.path} holds latents only; name the generator that renders them")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        if self.latents is None:
            return self.pairs[indices][:2]
        latents, condition = self.latents.latents(indices), self.latents.condition(indices)
        return latents if condition is None else (*latents, condition)

    @torch.no_grad()
    def forward(self, *fetched: Tensor) -> tuple[Tensor, Tensor]:
        if self.generator is None:
            return fetched[0].float() / 255, fetched[1].float() / 255
        z, moved, *condition = fetched
        return render_pair(self.generator, z, moved, condition[0] if condition else None)
