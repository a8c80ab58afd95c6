"""A discriminator small enough to train in a test, with what each kind brings: spectral norm or BatchNorm."""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class TinyDiscriminator(nn.Module):
    """Two convolutions and a linear score; `kind` is plain, spectral or batch."""

    def __init__(self, image_shape: tuple[int, int, int], kind: str = "plain", width: int = 16):
        super().__init__()
        channels, side, _ = image_shape
        norm = spectral_norm if kind == "spectral" else lambda layer: layer
        self.net = nn.Sequential(
            norm(nn.Conv2d(channels, width, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            norm(nn.Conv2d(width, width, 4, 2, 1)),
            nn.BatchNorm2d(width) if kind == "batch" else nn.Identity(),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        self.num_features = width * (side // 4) ** 2
        self.score = norm(nn.Linear(self.num_features, 1))

    def features(self, images: Tensor) -> Tensor:
        return self.net(2 * images - 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.score(self.features(images))[:, 0]
