"""What directions do to the images of a generator and to the codes of an encoder."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from tqdm import tqdm

from ..data.factor_dataset import FactorDataset
from ..data.features import evaluating
from ..errors import NonFiniteError, OptionError, ShapeError, require_positive
from ..generators import Generator
from ..latents import Directions
from ..losses import variation
from ..randomness import sample_seeds
from ..views.sources import draw_conditions


class Walks:
    """Images of the same anchors under shifts along directions.

    Args:
        generator: G, in any of its spaces; a conditional one draws a condition an anchor.
        directions: K of them, moved to its device.
        anchors: A, how many latents are moved.
        seed: Anchor i of a seed is always the same.
        batch_size: Images at once; they are the same for any.

    Raises:
        OptionError: If the generator lacks the directions' space, or there are no anchors.
        ShapeError: If its latents have other dimensions there.
    """

    def __init__(self, generator: Generator, directions: Directions, anchors: int, seed: int = 0, batch_size: int = 64):
        require_positive(anchors=anchors, batch_size=batch_size)
        generator = generator.in_space(directions.space)
        if generator.latent_dim != directions.dim:
            raise ShapeError(
                f"the directions move latents of {directions.dim} dimensions, those of {type(generator).__name__} in space "
                f"{directions.space} have {generator.latent_dim}; name the generator they were found in"
            )
        seeds = sample_seeds(seed, torch.arange(anchors)).to(generator.device)
        self.generator, self.directions, self.batch_size = generator, directions.to(generator.device), batch_size
        self.latents, self.condition = generator.sample_latents(anchors, rng=seeds), draw_conditions(generator, seeds)

    @property
    def usual_shift(self) -> float:
        """Three standard deviations of the latents, root mean square over their dimensions, to two digits: 3 for N(0, I)."""
        seeds = sample_seeds(0, torch.arange(1000)).to(self.generator.device)
        return float(f"{3 * self.generator.sample_latents(1000, rng=seeds).var(0).mean().sqrt():.2g}")

    def along(self, index: int, shifts: Tensor) -> Tensor:
        """Every anchor under shifts (S,) along one direction, (A, S, C, H, W)."""
        moves = F.one_hot(torch.full((len(shifts),), index), self.directions.count) * shifts[:, None]
        return self._images(self.latents, self.condition, moves)

    def combined(self, indices: Sequence[int], shifts: Tensor) -> Tensor:
        """The first anchor under all combinations of shifts (S,) along d directions, the last fastest, (S^d, C, H, W).

        Two of them span a plane: row by row, the first direction goes down and the second to the right.

        Raises:
            OptionError: If these are not two or more different directions.
        """
        count = self.directions.count
        if len(set(indices)) < max(2, len(indices)) or not set(indices) <= set(range(count)):
            raise OptionError(f"directions are {list(indices)}; combine two or more different ones of 0 to {count - 1}")
        moves = shifts.new_zeros(len(shifts) ** len(indices), count)
        moves[:, list(indices)] = torch.cartesian_prod(*[shifts] * len(indices))
        return self._images(self.latents[:1], None if self.condition is None else self.condition[:1], moves)[0]

    @torch.no_grad()
    def _images(self, latents: Tensor, condition: Tensor | None, moves: Tensor) -> Tensor:
        """Latents (A, D) under shifts (P, K), (A, P, C, H, W)."""
        moved = (latents[:, None] + self.directions.displacement(moves.to(latents.device))).flatten(0, 1)
        condition = None if condition is None else condition.repeat_interleave(len(moves))
        parts = torch.arange(len(moved), device=moved.device).split(self.batch_size)
        images = [self.generator(moved[part], None if condition is None else condition[part]) for part in parts]
        return torch.cat(images).unflatten(0, (-1, len(moves)))


@dataclass(frozen=True)
class Effects:
    """What shifts along each of K directions do, over the same n shifted anchors.

    Attributes:
        image: Mean absolute change of a pixel value, (K,).
        code: Mean length of the change of the code, (K,).
        variations: |E(G(z + A)) - E(G(z))|, l2-normalised, (K, n, J); zero where the code does not change.
    """

    image: Tensor
    code: Tensor
    variations: Tensor

    @property
    def shares(self) -> Tensor:
        """The mean share (K, J) that each dimension of the code has in the squared length of a variation."""
        return self.variations.square().mean(1)

    @property
    def domination(self) -> Tensor:
        """1 less the normalised entropy of the shares, (K,): 1 where one dimension answers alone, 0 where all or none do."""
        return self.shares.sum(1) - torch.special.entr(self.shares).sum(1) / math.log(max(2, self.shares.shape[1]))

    @property
    def agreement(self) -> Tensor:
        """Mean cosine between two variations of a direction, less that between one of its own and one of another, (K,)."""
        count, n, _ = self.variations.shape
        means = self.variations.mean(1)
        within = (n * means.square().sum(1) - self.variations.square().sum(2).mean(1)) / max(1, n - 1)
        return within - (means * (means.sum(0) - means)).sum(1) / max(1, count - 1)

    @property
    def score(self) -> Tensor:
        """How much and how purely a direction acts, (K,): the change of the image times domination times agreement above 0."""
        return self.image * self.domination * self.agreement.clamp(min=0)

    def ranking(self) -> list[dict[str, Any]]:
        """The directions by their score, best first, ties in their order: `direction`, `dimension` (of the largest share) and the
        numbers above."""
        numbers = ("score", "image", "code", "domination", "agreement")
        columns = {name: getattr(self, name).tolist() for name in numbers}
        dimensions = self.shares.argmax(1).tolist()
        return [
            {"direction": k, "dimension": dimensions[k]} | {name: columns[name][k] for name in numbers}
            for k in self.score.argsort(descending=True, stable=True).tolist()
        ]


def leading(ranking: list[dict[str, Any]]) -> list[int]:
    """The directions of a ranking, the best of each dimension of the code first, then the others."""
    best = {row["dimension"]: row for row in reversed(ranking)}
    return [row["direction"] for row in sorted(ranking, key=lambda row: row is not best[row["dimension"]])]


class Cloud(NamedTuple):
    """Codes of the images of all combinations of three factors.

    Attributes:
        codes: (n, 3), along the dimension of the code that each factor explains best.
        levels: Of the factors, (n, 3) in [0, 1].
        names: Of the factors.
        dimensions: Of the code.
    """

    codes: Tensor
    levels: Tensor
    names: tuple[str, ...]
    dimensions: tuple[int, ...]


def effects(walks: Walks, encoder: nn.Module, shift: float) -> Effects:
    """Measures what each direction does: all A anchors are shifted back, then forth, so that n is 2 A.

    Args:
        walks: Of A anchors along K directions.
        encoder: E, float32 images (B, C, H, W) in [0, 1] -> codes (B, J), on the generator's device.
        shift: How far.

    Raises:
        NonFiniteError: If a code is NaN or infinite.
        OptionError: If the shift is not positive.
    """
    require_positive(shift=shift)
    both = torch.tensor([-shift, shift])
    anchors = walks.along(0, torch.zeros(1))[:, 0]
    base, codes = anchors.repeat(2, 1, 1, 1), encode(encoder, anchors).repeat(2, 1)
    image, code, variations = [], [], []
    for index in tqdm(range(walks.directions.count), "directions", delay=2, leave=False, disable=None):
        moved = walks.along(index, both).transpose(0, 1).flatten(0, 1)
        moved_codes = encode(encoder, moved)
        image.append((moved - base).abs().mean())
        code.append((moved_codes - codes).norm(dim=1).mean())
        variations.append(variation(moved_codes, codes))
    return Effects(*(torch.stack(numbers).cpu() for numbers in (image, code, variations)))


@torch.no_grad()
def encode(encoder: nn.Module, images: Tensor, batch_size: int = 64) -> Tensor:
    """Codes (B, J) of images (B, C, H, W), in eval mode.

    Raises:
        NonFiniteError: If one is NaN or infinite.
    """
    with evaluating(encoder):
        codes = torch.cat([encoder(batch) for batch in images.split(batch_size)])
    if not (finite := codes.isfinite().all(1)).all():
        raise NonFiniteError(f"the code of image {int(finite.int().argmin())} is NaN or infinite; train the encoder again")
    return codes


def directions_cloud(walks: Walks, encoder: nn.Module, indices: Sequence[int], shifts: Tensor) -> Cloud:
    """Codes of the first anchor under all combinations of shifts (S,) along three directions; raises as its parts do."""
    codes = encode(encoder, walks.combined(indices, shifts)).cpu()
    levels = torch.cartesian_prod(*[torch.arange(len(shifts))] * len(indices))
    return _cloud(codes, levels, [f"direction {index}" for index in indices])


def factors_cloud(
    encoder: nn.Module, data: FactorDataset, device: torch.device, samples: int = 512, values: int = 7, seed: int = 0
) -> Cloud:
    """Codes of images of a data set over the three of its factors that the encoder explains best, the others as in one image.

    Args:
        encoder: E, on `device`.
        data: Of three factors or more.
        device: Where the encoder is.
        samples: Images of random factors that choose the three.
        values: Of a factor that are shown at most, evenly spread.
        seed: Of the samples and the other factors.

    Raises:
        OptionError: If there are fewer than three factors, or codes.
        NonFiniteError: If a code is NaN or infinite.
    """
    if len(data.factor_sizes) < 3:
        raise OptionError(f"the data have the factors {', '.join(data.factor_names)}; a picture of the codes takes three")
    factors, images = data.sample(samples, sample_seeds(seed, torch.arange(samples)))
    codes = encode(encoder, images.to(device).float() / 255).cpu()
    best = torch.stack([explained(codes, column).amax() for column in factors.unbind(1)])
    chosen = best.argsort(descending=True, stable=True)[:3].sort().values.tolist()
    spread = [torch.linspace(0, size - 1, min(size, values)).round().long() for size in (data.factor_sizes[i] for i in chosen)]
    grid = torch.cartesian_prod(*spread)
    varied = factors[:1].repeat(len(grid), 1)
    varied[:, chosen] = grid
    codes = encode(encoder, data.images(varied).to(device).float() / 255).cpu()
    return _cloud(codes, grid, [data.factor_names[i] for i in chosen])


def explained(codes: Tensor, levels: Tensor) -> Tensor:
    """The correlation ratio (J,): how much of the variance of codes (n, J) lies between the levels int64 (n,) of a factor."""
    members = F.one_hot(levels).to(codes.dtype)
    centred = codes - codes.mean(0)
    sums, counts = members.T @ centred, members.sum(0).clamp(min=1)
    return (sums.square() / counts[:, None]).sum(0) / centred.square().sum(0).clamp(min=1e-12)


def _cloud(codes: Tensor, levels: Tensor, names: Sequence[str]) -> Cloud:
    """A code of its own for each factor, so that together they are explained best."""
    if codes.shape[1] < len(names):
        raise OptionError(f"the encoder has {codes.shape[1]} codes; a picture of {len(names)} factors takes one for each")
    ratios = torch.stack([explained(codes, column) for column in levels.unbind(1)])
    dimensions = linear_sum_assignment(ratios, maximize=True)[1].tolist()
    return Cloud(codes[:, dimensions], levels / levels.amax(0).clamp(min=1), tuple(names), tuple(dimensions))
