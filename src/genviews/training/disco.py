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
from ..errors import OptionError, require_choices, require_positive
from ..generators.base import Generator
from ..latents import Directions
from ..latents.directions import DirectionKind
from ..losses import domination_entropy, gather, variation, variation_contrast
from ..losses.variations import Form
from ..randomness import derive, normal, pick, sample_seeds, uniform
from ..views.sources import draw_conditions
from .discovery_parts import in_space, new_encoder
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
        architecture: Further arguments of the encoder, such as `width`.
        pretrained: Folder of an encoder that is kept as it is, so that the directions alone are learned (Appendix E).
        shift: How far: epsilon of U[-epsilon, epsilon], or the standard deviation.
        distribution: Of the shifts: "uniform" (the paper), or "normal", of which the code takes those in (0, 0.5) for 0.5.
        form: Of both losses, of `variation_contrast`.
        temperature: Of the contrast.
        flip_threshold: Above which a negative is taken for a positive; None takes none for it.
        entropy: lambda, the weight of the domination entropy.
        contrasted: "variation", or "concatenation" of both representations (Table 2).
        objective: "contrast", or "classification" by a linear layer, of a direction drawn for each of the B + N + K (Table 2).
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
    architecture: Mapping[str, Any] = field(default_factory=dict)
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
        require_choices(self)

    @property
    def samples(self) -> int:
        """Latents a step."""
        return self.batch_size + self.positives + self.negatives


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

    def on_fit_start(self) -> None:
        o, ranks = self.options, self.trainer.world_size
        if any(count % ranks for count in (o.batch_size, o.positives, o.negatives)):
            sizes = f"batch_size {o.batch_size}, positives {o.positives} and negatives {o.negatives}"
            raise OptionError(f"{sizes} do not divide among {ranks} devices; each must be a multiple of {ranks}")

    def training_step(self, batch: tuple[tuple[Tensor, ...], Tensor], step: int) -> Tensor:
        o, seeds, count = self.options, batch[1], self.directions.count
        if self.classifier is not None:
            index = pick(derive(seeds, 1), count)
            loss = F.cross_entropy(self.classifier(self.contrasted(seeds, index)).float(), index)
            self.log("loss", loss)
            return loss
        first, kept = (n * len(seeds) // o.samples for n in (o.batch_size, o.batch_size + o.positives))
        common = pick(sample_seeds(o.seed, torch.tensor([-1 - step], device=seeds.device)), count)
        queries, positives = self.contrasted(seeds[:kept], common.expand(kept)).tensor_split([first])
        with torch.no_grad():  # negatives teach neither
            others = (common + 1 + pick(derive(seeds[kept:], 1), count - 1)) % count
            negatives = self.contrasted(seeds[kept:], others)
        queries, positives, negatives = map(gather, (queries, positives, negatives))
        contrast = variation_contrast(queries, positives, negatives, o.temperature, o.flip_threshold, o.form)
        entropy = domination_entropy(queries, positives, o.form)
        loss = contrast + o.entropy * entropy
        self.log_dict({"loss": loss, "contrast": contrast, "entropy": entropy})
        return loss

    def contrasted(self, seeds: Tensor, index: Tensor) -> Tensor:
        """What the samples `seeds` (n,), moved along the directions `index` (n,), are contrasted by: (n, J) or (n, 2 J)."""
        latents, condition = self.generator.sample_latents(len(seeds), rng=seeds), draw_conditions(self.generator, seeds)
        with torch.no_grad():  # no direction moves them
            base = self.generator(latents, condition)
        shifted = self.generator(latents + self.directions(index, self.shifts(seeds)), condition)
        first, second = self.encoder(torch.cat([shifted, base])).chunk(2)
        if self.options.contrasted == "variation":
            return variation(first, second)
        return F.normalize(torch.cat([first, second], dim=1).float(), dim=1)

    def shifts(self, seeds: Tensor) -> Tensor:
        """How far each of the samples (n,) moves."""
        seeds = derive(seeds, 3)  # for draw_conditions takes 2
        if self.options.distribution == "uniform":
            return self.options.shift * (2 * uniform(seeds, 1)[:, 0] - 1)
        shifts = self.options.shift * normal(seeds, 1)[:, 0]
        return torch.where((shifts > 0) & (shifts < 0.5), 0.5, shifts)

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
    generator, space = in_space(generator, options.space)
    directions = Directions(generator.latent_dim, options.count, options.kind, space=space, seed=options.seed)
    if options.pretrained:
        encoder = encoders.load(options.pretrained).requires_grad_(False)
    else:
        channels, *sides = generator.image_shape
        encoder = new_encoder(options.backbone, channels, max(sides), options.codes, options.architecture, options.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        learner = DiscoLearner(generator, directions, encoder, options)
    fit(
        learner,
        Seeds(options.steps * options.samples),
        steps=options.steps,
        batch_size=options.samples,
        seed=options.seed,
        out=out,
        resume=resume,
        description="disco",
        **trainer,
    )
    return directions.eval().requires_grad_(False), encoder.eval().requires_grad_(False)
