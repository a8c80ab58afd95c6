"""DisCo (Ren et al. 2022): directions of a latent space and a disentangled encoder, learned together by contrast."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam

from .. import encoders
from ..encoders import Encoder
from ..errors import OptionError, require_positive
from ..generators.base import Generator
from ..latents import Directions
from ..latents.directions import DirectionKind
from ..losses import domination_entropy, gather, variation, variation_contrast
from ..losses.variations import Form
from ..randomness import derive, normal, sample_seeds, uniform
from ..views.sources import draw_conditions
from .fit import Learner, Seeds, fit


@dataclass(frozen=True, kw_only=True)
class DiscoOptions:
    """How directions and encoder are learned; the defaults suit small images and a CPU.

    The paper takes 64 directions, 32 codes, 100,000 steps and a rate of 1e-5; its code 64 codes, 70,000 steps and 1e-4.

    Attributes:
        count: Directions.
        kind: Of the directions, of `Directions`.
        space: The latent space they are of; "w" if the generator has it, else "z", if None.
        codes: J, the dimensions of the representation.
        backbone: Of the encoder, of `Encoder`.
        encoder: Further arguments of the encoder, such as `width`.
        pretrained: Folder of an encoder that is kept as it is, so that the directions alone are learned (Appendix E).
        shift: How far: epsilon of U[-epsilon, epsilon], or the standard deviation.
        distribution: Of the shifts: "uniform" (the paper), or "normal", of which the code takes those in (0, 0.5) for 0.5.
        form: Of both losses, of `variation_contrast`.
        temperature: Of the contrast.
        flip_threshold: Above which a negative is taken for a positive; None takes none for it.
        entropy: lambda, the weight of the domination entropy.
        contrasted: "variation", or "concatenation" of both representations (Table 2).
        objective: "contrast", or "classification" of the direction by a linear layer (Table 2).
        batch_size: B, queries a step.
        positives: N, along the queries' direction.
        negatives: K, along others.
        steps: Optimiser steps.
        lr: Of Adam, for both.
        seed: Of everything.
    """

    count: int = 64
    kind: DirectionKind = "unit"
    space: str | None = None
    codes: int = 32
    backbone: str = "disco"
    encoder: Mapping[str, Any] = field(default_factory=dict)
    pretrained: str | None = None
    shift: float = 6.0
    distribution: Literal["uniform", "normal"] = "uniform"
    form: Form = "paper"
    temperature: float = 1.0
    flip_threshold: float | None = 0.95
    entropy: float = 1.0
    contrasted: Literal["variation", "concatenation"] = "variation"
    objective: Literal["contrast", "classification"] = "contrast"
    batch_size: int = 32
    positives: int = 32
    negatives: int = 64
    steps: int = 2000
    lr: float = 1e-4
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(codes=self.codes, shift=self.shift, temperature=self.temperature, batch_size=self.batch_size, lr=self.lr)
        require_positive(positives=self.positives, negatives=self.negatives, steps=self.steps)
        if self.count < 2:
            raise OptionError(f"count is {self.count}; to contrast directions takes at least 2")
        if self.entropy < 0:
            raise OptionError(f"entropy is {self.entropy}; it is a weight, at least 0")


class DiscoLearner(Learner):
    """Directions and an encoder, so that variations along one direction look alike and those along others do not.

    Args:
        generator: G, frozen, in the space of the directions.
        directions: What moves the latents.
        encoder: E.
        options: See `DiscoOptions`.
    """

    def __init__(self, generator: Generator, directions: Directions, encoder: Encoder, options: DiscoOptions):
        super().__init__()
        self.generator, self.directions, self.encoder, self.options = generator, directions, encoder, options
        self.frozen_parts = ("generator", "encoder") if options.pretrained else ("generator",)
        width = encoder.num_features * (2 if options.contrasted == "concatenation" else 1)
        self.classifier = nn.Linear(width, directions.count) if options.objective == "classification" else None

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], _: int) -> Tensor:
        o, seeds = self.options, batch[1]
        kept = len(seeds) * (o.batch_size + o.positives) // (o.batch_size + o.positives + o.negatives)
        latents = self.generator.sample_latents(len(seeds), rng=seeds)
        condition = draw_conditions(self.generator, seeds)
        index, shift = self.draw(seeds, kept)

        with torch.no_grad():  # the negatives and the images before the shift move no direction
            base = self.generator(latents, condition)
            negatives = self.contrasted(self.render(latents, index, shift, condition, slice(kept, None)), base[kept:])
        keys = self.contrasted(self.render(latents, index, shift, condition, slice(0, kept)), base[:kept])
        if self.classifier is not None:
            loss = F.cross_entropy(self.classifier(torch.cat([keys, negatives])), index)
            self.log("loss", loss)
            return loss
        queries, positives = keys.tensor_split([kept * o.batch_size // (o.batch_size + o.positives)])
        queries, positives, negatives = map(gather, (queries, positives, negatives))
        contrast = variation_contrast(queries, positives, negatives, o.temperature, o.flip_threshold, o.form)
        entropy = domination_entropy(queries, positives, o.form)
        loss = contrast + o.entropy * entropy
        self.log_dict({"loss": loss, "contrast": contrast, "entropy": entropy})
        return loss

    def draw(self, seeds: Tensor, kept: int) -> tuple[Tensor, Tensor]:
        """One direction for the first `kept` samples, another for each of the rest; and shifts."""
        o, count = self.options, self.directions.count
        common = (uniform(sample_seeds(o.seed, torch.tensor([self.global_step], device=seeds.device)), 1)[0] * count).long()
        others = 1 + (uniform(derive(seeds, 1), 1)[:, 0] * (count - 1)).long()
        index = (common + others.index_fill(0, torch.arange(kept, device=seeds.device), 0)) % count
        if o.distribution == "uniform":
            return index, o.shift * (2 * uniform(derive(seeds, 2), 1)[:, 0] - 1)
        shift = o.shift * normal(derive(seeds, 2), 1)[:, 0]
        return index, torch.where((shift > 0) & (shift < 0.5), 0.5, shift)

    def render(self, latents: Tensor, index: Tensor, shift: Tensor, condition: Tensor | None, part: slice) -> Tensor:
        moved = latents[part] + self.directions(index[part], shift[part])
        return self.generator(moved, None if condition is None else condition[part])

    def contrasted(self, shifted: Tensor, base: Tensor) -> Tensor:
        """What two images (B, C, H, W) each are contrasted by, (B, J) or (B, 2 J)."""
        first, second = self.encoder(torch.cat([shifted, base])).chunk(2)
        if self.options.contrasted == "variation":
            return variation(first, second)
        return F.normalize(torch.cat([first, second], dim=1).float(), dim=1)

    def configure_optimizers(self) -> Any:
        parts = [part for part in (self.directions, self.encoder, self.classifier) if part is not None]
        learned = [p for p in chain.from_iterable(part.parameters() for part in parts) if p.requires_grad]
        return Adam(learned, self.options.lr)


def disco(
    generator: Generator, options: DiscoOptions, out: Path | None = None, resume: bool = False, **trainer: Any
) -> tuple[Directions, Encoder]:
    """Learns directions and a disentangled encoder from the generator alone; no image and no label enters.

    Args:
        generator: G, in any of its latent spaces.
        options: See `DiscoOptions`.
        out: Run folder for checkpoints and `metrics.csv`; None keeps nothing.
        resume: Go on from the last checkpoint in `out`.
        **trainer: Further arguments of `fit`.

    Returns:
        Both frozen.

    Raises:
        OptionError: If the generator has no such space, or an option is wrong.
    """
    space = options.space or ("w" if "w" in generator.spaces else "z")
    generator = generator.in_space(space)
    directions = Directions(generator.latent_dim, options.count, options.kind, space=space, seed=options.seed)
    if options.pretrained:
        encoder = encoders.load(options.pretrained).requires_grad_(False)
    else:
        channels, side, _ = generator.image_shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            encoder = Encoder(options.backbone, channels, side, options.codes, **options.encoder)
    batch = options.batch_size + options.positives + options.negatives
    fit(
        DiscoLearner(generator, directions, encoder, options),
        Seeds(options.steps * batch),
        steps=options.steps,
        batch_size=batch,
        seed=options.seed,
        out=out,
        resume=resume,
        description="disco",
        **trainer,
    )
    return directions.eval().requires_grad_(False), encoder.eval().requires_grad_(False)
