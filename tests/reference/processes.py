"""What processes run beside the test; here because a spawned process must be able to import it."""

import lightning as L
import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from genviews.generators import MLPGAN
from genviews.losses import gather, info_nce
from genviews.training import SimCLR, SimCLROptions
from genviews.training.gans import GAN, GANOptions
from genviews.training.generator_learner import GeneratorOptions
from genviews.views import RealViews, Views

from .discriminators import TinyDiscriminator

WORLD, BATCH = 2, 6


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 8))


def images() -> tuple[torch.Tensor, torch.Tensor]:
    first, second = torch.randn(2, BATCH, 10, generator=torch.Generator().manual_seed(1))
    return first, second


def worker(rank: int, store: str, symmetric: bool, out: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=WORLD)
    model = DistributedDataParallel(network())
    first, second = (model(x[rank::WORLD]) for x in images())
    loss = info_nce(gather(first), gather(second), 0.2, symmetric=symmetric)
    loss.backward()
    torch.save([loss.detach(), *(p.grad for p in model.parameters())], f"{out}{rank}.pt")
    dist.destroy_process_group()


class Farewell(Callback):
    """Ends the process group before the process ends: gloo's threads, still running then, abort it now and then."""

    def teardown(self, trainer: L.Trainer, module: L.LightningModule, stage: str) -> None:
        if dist.is_initialized():
            dist.barrier()
            dist.destroy_process_group()


class Plain(nn.Sequential):
    """An encoder without BatchNorm."""

    num_features = 12

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(256, 12), nn.ReLU())


def plain_simclr(views: Views) -> SimCLR:
    torch.manual_seed(0)
    options = SimCLROptions(steps=4, batch_size=16)
    return SimCLR(Plain(), views, options.augment(views.image_shape), options)  # type: ignore[arg-type]


def tiny_gan(views: RealViews) -> GAN:
    torch.manual_seed(0)
    return GAN(MLPGAN((8, 32, 64)), TinyDiscriminator((1, 8, 8)), views, GeneratorOptions(), GANOptions(r1_every=2))
