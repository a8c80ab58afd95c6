"""What GANs learn against: images (B, C, H, W) in [0, 1] -> logits (B,), above zero for what looks real.

No network here has buffers that depend on the images, so that under DistributedDataParallel it may be called for real and
generated ones in the same step.
"""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .sizes import doublings

_SIDE = 4

Norm = Callable[[nn.Module], nn.Module]
"""What becomes of a layer with weights."""


class Discriminator(nn.Module):
    """Judges the features that `body` makes of images in [-1, 1].

    Attributes:
        num_features: F, the size of the features.
    """

    def __init__(self, body: nn.Module, num_features: int, head: nn.Module):
        super().__init__()
        self.body, self.num_features, self.head = body, num_features, head

    def features(self, images: Tensor) -> Tensor:
        """The features (B, F) of images (B, C, H, W) in [0, 1], for another head beside the judgement, such as InfoGAN's."""
        return self.body(2 * images - 1)

    def forward(self, images: Tensor) -> Tensor:
        """The logits (B,) of images (B, C, H, W) in [0, 1]."""
        return self.head(self.features(images)).squeeze(1)


def _conv(norm: Norm, inputs: int, outputs: int, kernel: int, gain: float = 1) -> nn.Module:
    conv = nn.Conv2d(inputs, outputs, kernel, padding="same")
    nn.init.xavier_uniform_(conv.weight, gain)
    return norm(conv)


class _Block(nn.Module):
    """Features (B, inputs, H, W) -> (B, outputs, H/2, W/2), or of the same size unless `shrink`."""

    def __init__(self, norm: Norm, inputs: int, outputs: int, first: bool = False, shrink: bool = True):
        super().__init__()
        pool = nn.AvgPool2d(2) if shrink else nn.Identity()
        activation = nn.Identity() if first else nn.ReLU()  # which would cut the images' dark half
        convolutions = [_conv(norm, inputs, outputs, 3, 2**0.5), nn.ReLU(), _conv(norm, outputs, outputs, 3, 2**0.5)]
        self.model = nn.Sequential(activation, *convolutions, pool)
        self.bypass = nn.Sequential(pool, _conv(norm, inputs, outputs, 1)) if shrink else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        return self.model(features) + self.bypass(features)


def _residual(image_shape: tuple[int, int, int], width: int, norm: Norm) -> tuple[nn.Sequential, int]:
    """Residual blocks that halve images (B, C, H, W) down to 4 x 4, averaged to features (B, F), not negative; and F."""
    widths = [width * min(2**i, 8) for i in range(doublings(image_shape))]
    blocks = [_Block(norm, image_shape[0], width, first=True), *(_Block(norm, *sizes) for sizes in pairwise(widths))]
    last = _Block(norm, widths[-1], widths[-1], shrink=False)
    return nn.Sequential(*blocks, last, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), widths[-1]


class SNGANDiscriminator(Discriminator):
    """The residual network of SNGAN (Miyato et al. 2018): spectral normalisation throughout, features averaged over space.

    Args:
        image_shape: (C, H, W), square, of 8, 16, 32, ... pixels.
        width: Channels of the first block; each of the next has twice as many, up to eight times.
    """

    def __init__(self, image_shape: tuple[int, int, int], width: int = 16):
        body, num_features = _residual(image_shape, width, spectral_norm)
        head = nn.Linear(num_features, 1)
        nn.init.xavier_uniform_(head.weight)
        super().__init__(body, num_features, spectral_norm(head))


class ProjectionDiscriminator(nn.Module):
    """D(x, y) = psi(phi(x)) + <V(y), phi(x)> (Miyato and Koyama 2018, section 3): do the features fit the condition?

    phi is SNGAN's residual network without its spectral normalisation, under which it learns slowly; the R1 penalty takes its
    place. psi and V are linear, V in one-hot classes or in an instance's features (Casanova et al. 2021).

    Args:
        image_shape: (C, H, W), square, of 8, 16, 32, ... pixels.
        conditions: The number of classes, or the instances' features (N, F).
        width: Channels of the first block; each of the next has twice as many, up to eight times.
    """

    def __init__(self, image_shape: tuple[int, int, int], conditions: int | Tensor, width: int = 16):
        super().__init__()
        self.body, num_features = _residual(image_shape, width, lambda layer: layer)
        self.head = nn.Linear(num_features, 1)
        self.embedding: nn.Module
        if isinstance(conditions, int):
            self.embedding = nn.Embedding(conditions, num_features)
            nn.init.normal_(self.embedding.weight, std=num_features**-0.5)
        else:
            linear = nn.Linear(conditions.shape[1], num_features, bias=False)
            self.embedding = nn.Sequential(nn.Embedding.from_pretrained(conditions), linear)

    def forward(self, images: Tensor, condition: Tensor) -> Tensor:
        """The logits (B,) of images (B, C, H, W) in [0, 1] under the conditions int64 (B,)."""
        features = self.body(2 * images - 1)
        return self.head(features).squeeze(1) + (self.embedding(condition) * features).sum(1)


def halving(image_shape: tuple[int, int, int], width: int, depth: int, tracked: bool = False) -> tuple[nn.Sequential, int]:
    """DCGAN's 4x4 convolutions of stride 2, with BatchNorm (but the first) and leaky ReLU, and the channels of the last.

    Args:
        image_shape: (C, H, W).
        width: Channels of the first convolution; each of the next has twice as many.
        depth: How many.
        tracked: Whether BatchNorm keeps statistics for eval mode; otherwise it takes those of the batch.
    """
    widths = [width << i for i in range(depth)]
    layers: list[nn.Module] = [nn.Conv2d(image_shape[0], width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for fine, coarse in pairwise(widths):
        layers += [nn.Conv2d(fine, coarse, 4, 2, 1, bias=False), nn.BatchNorm2d(coarse, track_running_stats=tracked)]
        layers += [nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers), widths[-1]


def dcgan_init(network: nn.Module) -> None:
    """Weights from N(0, .02^2), those of BatchNorm from N(1, .02^2)."""
    for name, weight in network.named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(weight, mean=float(weight.ndim == 1), std=0.02)


class DCGANDiscriminator(Discriminator):
    """The network of DCGAN (Radford et al. 2016): 4x4 convolutions of stride 2 to 4 x 4, BatchNorm and leaky ReLU.

    Its BatchNorm takes the statistics of the batch and keeps none.

    Args:
        image_shape: (C, H, W), square, of 8, 16, 32, ... pixels.
        width: Channels of the first layer; each of the next has twice as many.
    """

    def __init__(self, image_shape: tuple[int, int, int], width: int = 32):
        body, channels = halving(image_shape, width, doublings(image_shape))
        num_features = channels * _SIDE**2
        super().__init__(nn.Sequential(*body, nn.Flatten()), num_features, nn.Linear(num_features, 1))
        dcgan_init(self)


class PatchDiscriminator(nn.Module):
    """Judges patches (Isola et al. 2017): images (B, C, H, W) in [0, 1] -> logits (B, h, w), one for each place.

    Args:
        image_shape: (C, H, W), square, of 8, 16, 32, ... pixels.
        width: Channels of the first convolution; each of the next has twice as many.
        depth: Convolutions of stride 2, at most so many that 4 x 4 places are left.
    """

    def __init__(self, image_shape: tuple[int, int, int], width: int = 32, depth: int = 3):
        super().__init__()
        self.body, channels = halving(image_shape, width, min(depth, doublings(image_shape)))
        self.head = nn.Conv2d(channels, 1, 3, 1, 1)
        dcgan_init(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(2 * images - 1)).squeeze(1)
