"""Pretraining an encoder by any method, on any source of views."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only

from .. import encoders
from ..data import Images
from ..encoders import Encoder
from ..errors import OptionError, require_options
from ..views.sources import Views
from .byol import BYOL
from .feature_transformation import FeatureTransformation
from .fit import fit
from .method import Method, PretrainOptions
from .moco import MoCo
from .nnclr import NNCLR
from .online import OnlineProbes
from .simclr import SimCLR
from .simsiam import SimSiam
from .supcon import SupCon
from .t_moco import TMoCo
from .t_simclr import TSimCLR
from .viewmaker import ViewMaker

METHODS: dict[str, type[Method]] = {
    "simclr": SimCLR,
    "supcon": SupCon,
    "nnclr": NNCLR,
    "feature-transformation": FeatureTransformation,
    "moco": MoCo,
    "byol": BYOL,
    "simsiam": SimSiam,
    "t-simclr": TSimCLR,
    "t-moco": TMoCo,
    "viewmaker": ViewMaker,
}


def create(views: Views, recipe: PretrainOptions) -> Method:
    """The method that a recipe names, with an untrained encoder.

    Raises:
        OptionError: If there is no such method, or it has no such argument.
    """
    if recipe.method not in METHODS:
        raise OptionError(f"method {recipe.method!r} is unknown; choose {', '.join(METHODS)}")
    method = METHODS[recipe.method]
    require_options(method, recipe.objective)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return method(recipe.encoder(views.image_shape), views, recipe.augment(views.image_shape), recipe, **recipe.objective)


def pretrain(
    views: Views,
    recipe: PretrainOptions,
    out: Path | None = None,
    resume: bool = False,
    description: str = "encoder",
    watch: Images | None = None,
    log_every: int = 10,
    **trainer: Any,
) -> Encoder:
    """Trains an encoder on a source of views.

    Args:
        views: Real, rendered or generated pairs.
        recipe: See `PretrainOptions`.
        out: Run folder for checkpoints, `metrics.csv`, a picture of the views, and the exported encoder with its projector; None
            keeps nothing.
        resume: Go on from the last checkpoint in `out`, or return the encoder that a finished run left there.
        description: For the progress bar.
        watch: Labelled training images, whose accuracies by nearest neighbours and by a linear probe the history then holds;
            None watches nothing.
        log_every: Steps between rows of the history.
        **trainer: Further arguments of `fit` (precision, devices, workers, ...).

    Returns:
        The encoder, in eval mode, as the last step left it.

    Raises:
        OptionError: If there is no such method, or it has no such argument.
    """
    if resume and out and (out / "model.json").exists():
        return encoders.load(out)
    module = create(views, recipe)
    fit(
        module,
        views,
        steps=recipe.steps,
        batch_size=recipe.batch_size,
        accumulate=recipe.accumulate,
        seed=recipe.seed,
        out=out,
        resume=resume,
        description=description,
        callbacks=[OnlineProbes(watch, log_every)] if watch else [],
        log_every=log_every,
        **trainer,
    )
    if out:
        rank_zero_only(module.eval().keep)(out)
        rank_zero_only(encoders.save)(module.encoder, out, options=asdict(recipe))
        rank_zero_only(module.draw)(out)
    return module.encoder.eval()
