"""Rendered pairs as a source of views."""

import torch
from torch import Tensor, nn

from ..errors import DataError, OptionError
from ..generators.base import Generator
from .cop_gen_layout import CopGenFolder
from .sources import Pair, Views, render_pair
from .store import Pairs, Store


class RenderedViews(Views):
    """Pairs read from disk; those of a store of latents alone are rendered in the training step.

    Args:
        pairs: A store, or a folder in the original projects' layout.
        generator: Renders a store of latents; superfluous otherwise.

    Raises:
        OptionError: If the store holds latents only and there is no generator.
        DataError: If the store is not rendered to its end, or holds no pairs.
    """

    def __init__(self, pairs: Store | CopGenFolder, generator: Generator | None = None):
        super().__init__()
        self.pairs, self.image_shape = pairs, pairs.image_shape
        self.latents = pairs if isinstance(pairs, Store) and pairs.config.codec == "latents" else None
        self.generator = generator if self.latents else None
        if isinstance(pairs, Store) and pairs.config.anchors:
            raise DataError(f"{pairs.path} holds views learned of real images, no pairs; name the images too")
        if isinstance(pairs, Store) and pairs.missing:
            raise DataError(f"{pairs.path} lacks {len(pairs.missing)} shards; render it to its end with --resume")
        if self.latents and not generator:
            raise OptionError(f"{self.latents.path} holds latents only; name the generator that renders them")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, ...]:
        if self.latents is None:
            fetched = self.pairs[indices]
        else:
            fetched = Pairs(*self.latents.latents(indices), self.latents.condition(indices))
        return tuple(part for part in fetched if part is not None)

    @torch.no_grad()
    def forward(self, *fetched: Tensor, seeds: Tensor | None = None, encoder: nn.Module | None = None) -> Pair:
        first, second, *rest = fetched
        condition = rest[0] if rest else None
        if self.generator is None:
            return Pair(first.float() / 255, second.float() / 255, condition)
        return render_pair(self.generator, first, second, condition)
