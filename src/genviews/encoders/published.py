"""timm's models by name, with the weights that were published for them where this machine has them."""

from typing import Any

import torch

from ..errors import OptionError
from .backbones import Encoder


def published(name: str, in_channels: int = 3) -> tuple[Encoder, bool]:
    """A timm model as an encoder, made for its own size of images; nothing is downloaded.

    Args:
        name: Of `Encoder`, such as "resnet18" or "vit_small_patch16_224.dino".
        in_channels: C of the images.

    Returns:
        The encoder, in eval mode, and whether its weights are the published ones, found in Hugging Face's cache. Else they are
        random, the same for a name.

    Raises:
        OptionError: If there is no such backbone.
    """
    import timm  # takes seconds
    from huggingface_hub import try_to_load_from_cache

    try:
        config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    except RuntimeError as error:  # of a tag that there is not
        raise OptionError(f"backbone {name!r}: {error}") from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = Encoder(name, in_channels, config.input_size[-1] if config else None)
    path = try_to_load_from_cache(config.hf_hub_id, "model.safetensors") if config and config.hf_hub_id else None
    if config is None or not isinstance(path, str):
        return encoder.eval(), False
    options: dict[str, Any] = {"num_classes": 0, "in_chans": in_channels, "pretrained_cfg_overlay": {"file": path}}
    encoder.backbone.load_state_dict(timm.create_model(name, pretrained=True, **options).state_dict())
    if in_channels == len(config.mean):
        encoder.mean.copy_(torch.tensor(config.mean).view(-1, 1, 1))
        encoder.std.copy_(torch.tensor(config.std).view(-1, 1, 1))
    return encoder.eval(), True
