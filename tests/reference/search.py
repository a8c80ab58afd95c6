"""W-search's objective, and the search itself as the authors run it: an anchor at a time, PyTorch's Adam."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviews.latents import SearchOptions
from genviews.randomness import derive, normal


def view_search(views: Tensor, target: Tensor, boundary: float, uniformity: float, weight: float) -> Tensor:
    """Of one anchor: views (n, P), target (P,)."""
    n, total = len(views), torch.zeros(())
    for i in range(n):
        away = sum((views[i] - views[j]).norm() for j in range(n) if j != i) / (n - 1)
        total = total + ((views[i] - target).norm() - boundary) ** 2 + weight * max(uniformity - away, torch.zeros(()))
    return total / n


def w_search(generator: nn.Module, encoder: nn.Module, latent: Tensor, seed: Tensor, o: SearchOptions) -> tuple[Tensor, int]:
    """The views' latents (n, D) of one anchor (D,), and the steps taken."""
    noise = [normal(derive(seed[None], view), len(latent))[0] for view in range(o.views)]
    w = nn.Parameter(torch.stack([latent + (o.noise * noise[view] if view else 0) for view in range(o.views)]))
    optimiser = torch.optim.Adam([w], o.lr)
    target = None
    for step in range(o.steps + 1):
        views = F.normalize(encoder(generator(w)), dim=1)
        target = views[0].detach() if target is None else target  # to the last bit, so that it has no direction from there
        loss = view_search(views, target, o.boundary, o.repulsion, o.weight)
        if loss < o.tolerance or step == o.steps:
            return w.detach(), step
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    raise AssertionError
