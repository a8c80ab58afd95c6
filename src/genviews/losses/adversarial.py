"""Adversarial losses of a discriminator D and a generator G: logits D(x), high for what looks real -> scalar, in float32."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import OptionError

Form = Literal["nonsaturating", "hinge"]


def discriminator_loss(real: Tensor, fake: Tensor, form: Form = "nonsaturating") -> Tensor:
    """What D minimises.

    "nonsaturating" (Goodfellow et al. 2014, eq. 1): E[-log s(D(x))] + E[-log(1 - s(D(G(z))))], s the sigmoid;
    "hinge" (Miyato et al. 2018, eq. 16): E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))].

    Args:
        real: D(x), any shape.
        fake: D(G(z)), any shape.
        form: One of the two.

    Raises:
        OptionError: If there is no such form.
    """
    real, fake = real.float(), fake.float()
    if _is_hinge(form):
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(fake: Tensor, form: Form = "nonsaturating") -> Tensor:
    """What G minimises: E[-log s(D(G(z)))] (Goodfellow et al. 2014, section 3), or under the hinge loss -E[D(G(z))].

    Args:
        fake: D(G(z)), any shape.
        form: That of the discriminator's loss.

    Raises:
        OptionError: If there is no such form.
    """
    return -fake.float().mean() if _is_hinge(form) else F.softplus(-fake.float()).mean()


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """E[|grad_x D(x)|^2] (Mescheder et al. 2018, eq. 9, without its gamma / 2), differentiable to the weights of D.

    Args:
        logits: D(x), (B,).
        images: x, (B, ...), real ones, that required a gradient when `logits` were computed of them.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.float().square().flatten(1).sum(1).mean()


def _is_hinge(form: str) -> bool:
    if form not in ("nonsaturating", "hinge"):
        raise OptionError(f"the adversarial loss is {form!r}; choose nonsaturating or hinge")
    return form == "hinge"
