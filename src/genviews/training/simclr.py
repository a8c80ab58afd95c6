"""SimCLR (Chen et al. 2020): the two views of a sample attract, all others repel."""

from typing import Any

import torch
from torch import Tensor

from ..encoders import projector
from ..errors import OptionError
from ..losses import gather, info_nce, multiview
from ..losses.multiview import Form
from ..views.sources import Pair
from .method import Method

FORMS: dict[str, Form] = {"both": "simclr", "cross": "infonce", "all": "full"}
"""Of `multiview`, by the negatives."""


class SimCLR(Method):
    """Minimises InfoNCE between the embeddings of the two views.

    Args:
        temperature: Of InfoNCE.
        negatives: "both" (the paper's 2N - 2 of both views), "cross" (the N - 1 of the other view, as in A2's paper) or, with
            A2, "all" (generated views are views like the others, instead of attracting).
    """

    def __init__(self, *args: Any, temperature: float = 0.2, negatives: Any = "both"):
        super().__init__(*args)
        if negatives not in FORMS or (negatives == "all" and self.recipe.assimilate != "a2"):
            raise OptionError(f"negatives is {negatives!r}; choose both, cross or, with assimilate a2, all")
        self.temperature, self.negatives = temperature, negatives
        self.projector = projector(self.encoder.num_features, out_features=self.recipe.projector_dim)

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        first, second = self.projector(self.encoder(torch.cat(views[:2]))).chunk(2)
        if views.generated is None:
            return info_nce(gather(first), gather(second), self.temperature, self.negatives)
        generated = torch.stack([self.embed(images) for images in views.generated.unbind(1)], 1)
        form, alpha = FORMS[self.negatives], self.recipe.alpha
        return multiview(gather(first), gather(second), gather(generated), self.temperature, alpha, form)
