"""Training objectives of a VAE: the evidence lower bound and its disentangling relatives."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ..errors import OptionError, require_choices, require_positive
from ..generators.base import VAE
from ..losses import gather
from ..randomness import derive, normal, uniform
from ..views.sources import RealViews
from .generator_learner import GeneratorLearner, GeneratorOptions

Batch = tuple[tuple[Tensor, ...], Tensor]


@dataclass(frozen=True)
class VAEOptions:
    """What a VAE is trained for. A weight that is None is its objective's own (`weights` of the classes below).

    Attributes:
        objective: "beta" (with beta = 1 the plain evidence lower bound), "tc" (beta-TCVAE) or "factor" (FactorVAE).
        alpha: Weight of the index-code mutual information in "tc".
        beta: Weight of the KL divergence in "beta", of the total correlation in "tc".
        gamma: Weight of the dimension-wise KL divergence in "tc", of the total correlation in "factor".
        likelihood: Of a pixel: "bernoulli", or "gaussian" with standard deviation `std`.
        std: Of gaussian pixels; images are in [0, 1].
        sampling: How "tc" estimates q(z) from a minibatch; see `decompose`.
        discriminator_width: Of the six hidden layers in "factor" (paper: 1000).
        discriminator_lr: Its learning rate in "factor".
    """

    objective: Literal["beta", "tc", "factor"] = "beta"
    alpha: float | None = None
    beta: float | None = None
    gamma: float | None = None
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    std: float = 0.1
    sampling: Literal["weighted", "stratified"] = "stratified"
    discriminator_width: int = 256
    discriminator_lr: float = 1e-4

    def __post_init__(self) -> None:
        require_positive(std=self.std, discriminator_width=self.discriminator_width, discriminator_lr=self.discriminator_lr)
        require_choices(self)
        weights = OBJECTIVES[self.objective].weights
        for name, value in {"alpha": self.alpha, "beta": self.beta, "gamma": self.gamma}.items():
            if value is not None and not (name in weights and value >= 0):
                raise OptionError(f"{name} is {value}; objective {self.objective!r} takes {', '.join(weights)}, at least 0")


def negative_log_likelihood(pixels: Tensor, images: Tensor, options: VAEOptions) -> Tensor:
    """-log p(x | z) in nats, the mean over the batch, without the normal density's constant.

    A NaN passes through, where `F.binary_cross_entropy` raises on the CPU and loses the CUDA context.

    Args:
        pixels: What the decoder makes of z, float32 (B, C, H, W) in [0, 1].
        images: x, of the same shape and range.
        options: Whose `likelihood` and `std` count.
    """
    if options.likelihood == "gaussian":
        return ((pixels - images) / options.std).square().sum() / 2 / len(images)
    on, off = pixels.clamp(min=1e-37).log(), (1 - pixels).clamp(min=1e-37).log()
    return -(images * on + (1 - images) * off).sum() / len(images)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q(z | x) || N(0, I)) in nats, the mean over the posteriors (B, D) (Kingma & Welling 2014, appendix B)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean() / 2


def _log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    return -((z - mean).square() / log_variance.exp() + log_variance + math.log(2 * math.pi)) / 2


def decompose(
    z: Tensor, mean: Tensor, log_variance: Tensor, count: int, sampling: str = "stratified"
) -> tuple[Tensor, Tensor, Tensor]:
    """The three parts of E_x KL(q(z | x) || N(0, I)) (Chen et al. 2018, eq. 2), estimated from a minibatch, in nats.

    The aggregated posterior q(z) = 1/N sum_n q(z | x_n) becomes a weighted sum over the batch. "weighted" weighs all by 1/(N B)
    (eq. 3), in expectation a lower bound. "stratified" weighs the posterior that z is from by 1/N and the others evenly by the
    rest: the mean of the unbiased eq. S5 over which of them is its last, exact where the batch is the whole data set.

    Args:
        z: A sample of each posterior, (B, D).
        mean: Of the posteriors, (B, D).
        log_variance: Of the posteriors, (B, D).
        count: N, the size of the data set, whose B samples are distinct.
        sampling: "weighted" or "stratified".

    Returns:
        The index-code mutual information I(z; n), the total correlation KL(q(z) || prod_j q(z_j)) and the dimension-wise
        divergence sum_j KL(q(z_j) || p(z_j)).
    """
    size = len(z)
    if sampling == "weighted":
        weights = z.new_full((size, size), 1 / (count * size))
    else:
        weights = z.new_full((size, size), (count - 1) / (count * max(1, size - 1))).fill_diagonal_(1 / count)
    log_weights, zeros = weights.log(), torch.zeros_like(z)
    pairs = _log_normal(z[:, None], mean, log_variance)  # log q(z_ij | x_k), (B, B, D)
    posterior = _log_normal(z, mean, log_variance).sum(1)
    aggregated = (log_weights + pairs.sum(2)).logsumexp(1)
    marginals = (log_weights[..., None] + pairs).logsumexp(1).sum(1)
    prior = _log_normal(z, zeros, zeros).sum(1)
    return (posterior - aggregated).mean(), (aggregated - marginals).mean(), (marginals - prior).mean()


def permute_dimensions(z: Tensor, seeds: Tensor) -> Tensor:
    """Latents (B, D) ~ q(z) to latents ~ prod_j q(z_j): each dimension shuffled over the batch (Kim & Mnih 2018, algorithm 1).

    Args:
        z: (B, D).
        seeds: int64 (B,), which together are the permutations.
    """
    return z.gather(0, uniform(seeds, z.shape[1]).argsort(dim=0))


class VAELearner(GeneratorLearner):
    """A VAE that learns from images; a subclass adds the objective.

    Args:
        vae: What learns.
        views: The images.
        options: See `GeneratorOptions`.
        vae_options: See `VAEOptions`; its `objective` is the subclass.

    Attributes:
        weights: Of the objective's terms, by the paper's letters.
    """

    weights: ClassVar[dict[str, float]] = {}

    def __init__(self, vae: VAE, views: RealViews, options: GeneratorOptions, vae_options: VAEOptions):
        super().__init__(vae, views, options)
        self.vae_options = vae_options

    def weight(self, name: str) -> float:
        """The weight that was asked for, else the objective's own."""
        given = getattr(self.vae_options, name)
        return self.weights[name] if given is None else given

    def reconstruct(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """z ~ q(z | x), its mean and its log-variance, (B, D) each, and -log p(x | z) (Kingma & Welling 2014, eq. 10)."""
        fetched, seeds = batch
        images = self.views(*fetched).first
        mean, log_variance = (part.float() for part in self.generator.posterior(images))
        z = mean + (log_variance / 2).exp() * normal(seeds, self.generator.latent_dim)
        return z, mean, log_variance, negative_log_likelihood(self.generator(z), images, self.vae_options)


class BetaVAE(VAELearner):
    """Maximises E_q[log p(x | z)] - beta KL(q(z | x) || p(z)) (Higgins et al. 2017, eq. 4)."""

    weights: ClassVar = {"beta": 1.0}

    def training_step(self, batch: Batch, step: int) -> Tensor:
        _, mean, log_variance, reconstruction = self.reconstruct(batch)
        kl = divergence(mean, log_variance)
        loss = reconstruction + self.weight("beta") * kl
        self.log_dict({"loss": loss, "reconstruction": reconstruction, "divergence": kl})
        return loss


class BetaTCVAE(VAELearner):
    """Maximises E_q[log p(x | z)] - alpha I(z; n) - beta KL(q(z) || prod_j q(z_j)) - gamma sum_j KL(q(z_j) || p(z_j))
    (Chen et al. 2018, eq. 4), over the global batch of a distributed run."""

    weights: ClassVar = {"alpha": 1.0, "beta": 6.0, "gamma": 1.0}

    def training_step(self, batch: Batch, step: int) -> Tensor:
        *posteriors, reconstruction = self.reconstruct(batch)
        z, mean, log_variance = map(gather, posteriors)
        information, correlation, dimension_wise = decompose(z, mean, log_variance, len(self.views), self.vae_options.sampling)
        alpha, beta, gamma = map(self.weight, self.weights)
        loss = reconstruction + alpha * information + beta * correlation + gamma * dimension_wise
        self.log_dict({"loss": loss, "reconstruction": reconstruction, "divergence": divergence(mean, log_variance)})
        self.log_dict({"mutual_information": information, "total_correlation": correlation, "dimension_wise": dimension_wise})
        return loss


class FactorVAE(VAELearner):
    """Maximises E_q[log p(x | z)] - KL(q(z | x) || p(z)) - gamma KL(q(z) || prod_j q(z_j)) (Kim & Mnih 2018, eq. 2).

    Algorithm 2, its two updates made at once: a discriminator D tells latents from permuted latents, and log D(z) / (1 - D(z))
    estimates the density ratio in the total correlation (eq. 3). D's two independent batches are the halves of the batch: the
    latents of the first and, permuted, of the second. Neither VAE nor D receives a gradient of the other's loss.
    """

    weights: ClassVar = {"gamma": 10.0}

    def __init__(self, vae: VAE, views: RealViews, options: GeneratorOptions, vae_options: VAEOptions):
        super().__init__(vae, views, options, vae_options)
        if options.batch_size < 4:
            raise OptionError(f"batch_size is {options.batch_size}; FactorVAE permutes half a batch and needs at least 4")
        width = vae_options.discriminator_width
        sizes = [vae.latent_dim, *[width] * 6]
        hidden = [nn.Sequential(nn.Linear(*pair), nn.LeakyReLU(0.2)) for pair in pairwise(sizes)]
        self.discriminator = nn.Sequential(*hidden, nn.Linear(width, 1))

    def training_step(self, batch: Batch, step: int) -> Tensor:
        z, mean, log_variance, reconstruction = self.reconstruct(batch)
        kl = divergence(mean, log_variance)
        frozen = {name: parameter.detach() for name, parameter in self.discriminator.named_parameters()}
        correlation = functional_call(self.discriminator, frozen, z).float().mean()
        loss = reconstruction + kl + self.weight("gamma") * correlation

        joint, other = z.detach().tensor_split(2)
        permuted = permute_dimensions(other, derive(batch[1][len(joint) :], 1))
        real, fake = self.discriminator(torch.cat([joint, permuted])).float().tensor_split([len(joint)])
        discriminator_loss = (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2
        accuracy = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2

        self.log_dict({"loss": loss, "reconstruction": reconstruction, "divergence": kl, "total_correlation": correlation})
        self.log_dict({"discriminator_loss": discriminator_loss, "discriminator_accuracy": accuracy})
        return loss + discriminator_loss

    def parameter_groups(self) -> list[dict[str, Any]]:
        lr = self.vae_options.discriminator_lr
        return [*super().parameter_groups(), {"params": self.discriminator.parameters(), "lr": lr, "betas": (0.5, 0.9)}]


OBJECTIVES: dict[str, type[VAELearner]] = {"beta": BetaVAE, "tc": BetaTCVAE, "factor": FactorVAE}
