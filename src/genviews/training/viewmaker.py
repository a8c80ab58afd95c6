"""ViewMaker (Tamkin et al. 2021): an encoder contrasts views that a network makes against it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam

from .. import augmentations
from ..augmentations import Viewmaker
from ..encoders import projector
from ..errors import OptionError, require_positive
from ..losses import gather, viewmaker_loss
from ..randomness import derive
from ..views.sources import Pair
from .method import Method
from .together import Together


class ViewMaker(Method):
    """f minimises the loss of two views V(x), and V, whose perturbations have a given size, maximises it.

    f learns by SGD and V by Adam, both at once from one pass; the authors take turns, each with a pass of its own. V makes the
    views alone, without another T_x. With `assimilate`, its view is a generated one instead: it takes the place of one of two
    expert views (A1), or attracts both (A2).

    Args:
        temperature: Of the loss.
        budget: Mean absolute size of V's perturbations.
        viewmaker_lr: Of Adam; the schedule is that of f.
        widths: Channels of V at full, half and quarter size (paper: 32, 64, 128).

    Raises:
        OptionError: In training, if the source has generated views already.
    """

    def __init__(
        self,
        *args: Any,
        temperature: float = 0.07,
        budget: float = 0.05,
        viewmaker_lr: float = 1e-3,
        widths: Sequence[int] = (8, 16, 32),
    ):
        super().__init__(*args)
        require_positive(viewmaker_lr=viewmaker_lr)
        self.temperature, self.viewmaker_lr, shape = temperature, viewmaker_lr, self.views.image_shape
        self.projector = projector(self.encoder.num_features, out_features=self.recipe.projector_dim)
        self.viewmaker = Viewmaker(shape[0], budget, widths, size=self.recipe.side(shape))

    def loss(self, views: Pair, seeds: Tensor) -> Tensor:
        first, second = self.projector(self.encoder(torch.cat(views[:2]))).chunk(2)
        return viewmaker_loss(gather(first), gather(second), self.temperature) + self.attraction(first, second, views)

    def augmented(self, pair: Pair, seeds: Tensor) -> Pair:
        if pair.generated is not None:
            raise OptionError(
                "viewmaker makes its views, and the source has generated ones already; name images or another method"
            )
        if self.recipe.assimilate:
            learned = self.viewmaker(pair.first, derive(seeds, 6))
            return super().augmented(pair._replace(generated=learned[:, None]), seeds)
        first, second = self.viewmaker(pair.first, derive(seeds, 1)), self.viewmaker(pair.second, derive(seeds, 2))
        return Pair(first, second, pair.labels)

    def optimizer(self, *apart: str) -> Together:
        adversary = Adam(self.viewmaker.parameters(), self.viewmaker_lr, maximize=True)
        return Together(super().optimizer("viewmaker", *apart), adversary)

    def keep(self, out: Path) -> None:
        super().keep(out)
        augmentations.save(self.viewmaker, out / "viewmaker")
