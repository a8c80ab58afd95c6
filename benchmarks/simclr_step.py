"""Whole SimCLR steps, from uint8 images in memory to the updated weights: `training.pretrain` against lightly's parts.

    uv run --group peers python benchmarks/simclr_step.py

Both train the conv-small net at 32 px by SGD with the same augmentations, a projector of one hidden layer and NT-Xent. lightly's
side is its tutorial's loop: its transform on PIL images in a DataLoader, SimCLRProjectionHead, NTXentLoss. Each repeat
times `--steps` steps of both, one after the other, with whatever each needs to start (Lightning, the loader's workers).
"""

import argparse

import lightly
import torch
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms import SimCLRTransform
from side_by_side import compare
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import to_pil_image

from genviews.data import ArrayImages
from genviews.encoders.backbones import conv_small
from genviews.training import PretrainOptions, pretrain
from genviews.views import RealViews

TEMPERATURE, WIDTH = 0.2, 128


class TwoViews(Dataset):
    """Two augmented views of each image by lightly's transform, with the settings of ours for small images."""

    def __init__(self, images: Tensor):
        self.images = [to_pil_image(image) for image in images]
        self.transform = SimCLRTransform(images.shape[-1], cj_strength=0.5, cj_hue=0.2, min_scale=0.2, gaussian_blur=0.0)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> list[Tensor]:
        return self.transform(self.images[index])


def train_lightly(pairs: TwoViews, batch_size: int, workers: int) -> None:
    backbone, head = conv_small(3), SimCLRProjectionHead(WIDTH, WIDTH, WIDTH)
    model, criterion = nn.Sequential(backbone, head), NTXentLoss(TEMPERATURE)
    optimizer = torch.optim.SGD(model.parameters(), 0.3, momentum=0.9, weight_decay=1e-4)
    for first, second in DataLoader(pairs, batch_size, shuffle=True, num_workers=workers, drop_last=True):
        loss = criterion(model(first), model(second))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("batch", 256), ("steps", 20), ("repeats", 5), ("threads", 2), ("workers", 2)):
        parser.add_argument(f"--{option}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    shape = (args.batch * args.steps, 3, 32, 32)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    views = RealViews(ArrayImages(images, torch.zeros(len(images), dtype=torch.int64), ("any",)))
    recipe = PretrainOptions(steps=args.steps, batch_size=args.batch, projector_dim=WIDTH, objective={"temperature": TEMPERATURE})
    pairs = TwoViews(images)
    print(
        f"torch {torch.__version__}, lightly {lightly.__version__}; {args.threads} threads, {args.workers} loader workers for "
        f"lightly and none for genviews, {args.repeats} repeats"
    )
    print(f"{args.steps} SimCLR steps of conv-small, 3x32x32, batch {args.batch}: {len(images):,} images")
    compare(
        lambda: pretrain(views, recipe),
        {"lightly": lambda: train_lightly(pairs, args.batch, args.workers)},
        args.repeats,
    )


if __name__ == "__main__":
    main()
