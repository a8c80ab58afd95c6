"""SimCLR (Chen et al. 2020): the two views of a sample attract, all others repel."""

from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ..encoders import projector
from ..errors import OptionError
from ..losses import gather, info_nce, multiview
from ..losses.multiview import Form
from ..views.sources import Pair
from .method import Method


Negatives = Literal["both", "cross", "all"]

FORMS: dict[str, Form] = {"both": "simclr", "cross": "infonce", "all": "full"}
"""Of `multiview`, by the negatives."""


class SimCLR(Method):
    """Minimises InfoNCE between the embeddings of the two views.

    Args:
        temperature: Of InfoNCE.
        negatives: "both" (the paper's 2N - 2 of both views), "cross" (the N - 1 of the other view; what generated views were
            assimilated into) or "all" (of generated views too, which then are views like the others instead of attracting).
    """

    def __init__(self, *args: Any, temperature: float = 0.2, negatives: Negatives = "both"):
        super().__init__(*args)
        if negatives not in get_args(Negatives):
            raise OptionError(f"negatives is {negatives!r}; choose both, cross or all")
        if negatives == "all" and self.recipe.assimilate != "a2":
            raise OptionError("negatives are 'all', those of generated views too, which only assimilate a2 has; choose both or cross")
        self.temperature, self.negatives = temperature, negatives
        self.projector = projector(self.encoder.num_features, out_features=self.recipe.projector_dim)

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        first, second = self.projector(self.encoder(torch.cat(views[:2]))).chunk(2)
        if views.generated is None:
            return info_nce(gather(first), gather(second), self.temperature, self.negatives)
        generated = torch.stack([self.embed(images) for images in views.generated.unbind(1)], 1)
        form = FORMS[self.negatives]
        return multiview(gather(first), gather(second), gather(generated), self.temperature, self.recipe.alpha, form)
