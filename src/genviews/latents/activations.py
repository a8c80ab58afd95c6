"""What a latent becomes inside of a generator."""

from collections.abc import Callable
from difflib import get_close_matches

from torch import Tensor

from ..errors import OptionError
from ..generators.base import Generator


def activation(generator: Generator, layer: str) -> Callable[[Tensor, Tensor | None], Tensor]:
    """A function of latents (B, D) and conditions (B,) to what they are at a layer, (B, N).

    Args:
        generator: G.
        layer: "latent" for the latent as it comes, "image" for the image, or a module of the generator by its name.

    Raises:
        OptionError: If there is no such module; when called, if rendering does not pass it.
    """
    modules = dict(generator.named_modules())
    if layer not in ("latent", "image") and layer not in modules:
        near = get_close_matches(layer, modules, 3, 0.4) or [name for name in modules if name][-3:]
        raise OptionError(f"layer is {layer!r}; choose latent, image or a module of the generator, such as {', '.join(near)}")

    def found(latents: Tensor, condition: Tensor | None = None) -> Tensor:
        if layer == "latent":
            return latents
        if layer == "image":
            return generator(latents, condition).flatten(1)
        outputs: list[Tensor] = []
        with modules[layer].register_forward_hook(lambda module, inputs, output: outputs.append(output)):
            generator(latents, condition)
        if not outputs or not isinstance(outputs[0], Tensor) or len(outputs[0]) != len(latents):
            raise OptionError(f"layer {layer!r} makes nothing of each latent on the way to the image; choose another, or image")
        return outputs[0].flatten(1)

    return found
