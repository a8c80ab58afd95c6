"""Points in the plane as pictures of pixels."""

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

SIDE = 260  # pixels


def t_sne(points: Tensor) -> Tensor:
    """(N, D) -> (N, 2) by openTSNE, seeded, perplexity 30 or less where there are few points."""
    from openTSNE import TSNE  # takes seconds

    perplexity = min(30.0, (len(points) - 1) / 3)
    found = TSNE(perplexity=perplexity, initialization="pca", random_state=0).fit(points.float().cpu().numpy())
    return torch.from_numpy(np.asarray(found))


def scatter(points: Tensor, labels: Tensor) -> Tensor:
    """(N, 2) with their classes (N,) -> a picture (3, SIDE, SIDE) in [0, 1]."""
    figure = Figure((SIDE / 100, SIDE / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    colours = colormaps["tab10"](labels.numpy() % 10)
    x, y = points.detach().cpu().numpy().T
    axes.scatter(x, y, c=colours, s=5, linewidth=0)
    axes.set(xticks=[], yticks=[])
    canvas.draw()
    pixels = torch.from_numpy(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    return pixels.permute(2, 0, 1).float() / 255
