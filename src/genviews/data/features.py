"""Frozen features of a set of images."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..errors import DataError, NonFiniteError, ShapeError
from .images import Images


def extract(
    encoder: nn.Module,
    data: Images,
    batch_size: int = 256,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> tuple[Tensor, Tensor]:
    """Encodes every image once, in eval mode and without gradients; the encoder's training flags are put back.

    Args:
        encoder: float32 (B, C, H, W) in [0, 1] -> (B, D).
        data: N images.
        batch_size: B.
        device: Moves the encoder there; None for where it is.
        progress: Show a bar if the standard error is a terminal.

    Returns:
        Features float32 (N, D) and labels int64 (N,), on the CPU.

    Raises:
        DataError: If there are no images.
        ShapeError: If the encoder returns anything but (B, D).
        NonFiniteError: If a feature is NaN or infinite; names the first such sample.
    """
    if not len(data):
        raise DataError("there are no images to encode; give a split that holds some")
    if device is None:
        device = device_of(encoder)
    encoder.to(device)
    features, labels = [], []
    with evaluating(encoder), torch.inference_mode():
        for indices in tqdm(
            torch.arange(len(data)).split(batch_size), "encoding", leave=False, disable=None if progress else True
        ):
            images, batch_labels = data[indices]
            batch = encoder(images.to(device).float() / 255)
            if batch.ndim != 2 or len(batch) != len(indices):
                raise ShapeError(f"the encoder returned {tuple(batch.shape)} for {len(indices)} images; it must return (B, D)")
            finite = batch.isfinite().all(1)
            if not finite.all():
                raise NonFiniteError(
                    f"sample {int(indices[int((~finite).nonzero()[0])])} has NaN or infinite features; check its encoder"
                )
            features.append(batch.float().cpu())
            labels.append(batch_labels)
    return torch.cat(features), torch.cat(labels)


@torch.no_grad()
def mapped(
    function: Callable[[Tensor], Tensor], images: Images, batch_size: int = 256, device: torch.device | str = "cpu"
) -> Tensor:
    """What a function makes of all images.

    Args:
        function: float32 (B, C, H, W) in [0, 1], on the device -> (B, ...).
        images: N of them.
        batch_size: B.
        device: Where the function's weights are.

    Returns:
        (N, ...), on the CPU.
    """
    parts = tqdm(torch.arange(len(images)).split(batch_size), "encoding", leave=False, disable=None)
    return torch.cat([function(images[part][0].to(device).float() / 255).cpu() for part in parts])


def device_of(module: nn.Module) -> torch.device:
    """Where the weights of a module are; the CPU if it has none."""
    return next((tensor.device for tensor in module.parameters()), torch.device("cpu"))


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode inside, each submodule's own training flag afterwards."""
    training = [submodule for submodule in module.modules() if submodule.training]
    module.eval()
    try:
        yield
    finally:
        for submodule in training:
            submodule.training = True
