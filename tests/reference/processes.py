"""What processes run beside the test; here because a spawned process must be able to import it."""

import lightning as L
import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import Callback
from torch import nn

from genviews.generators import MLPGAN
from genviews.training.gans import GAN, GANOptions
from genviews.training.generator_learner import GeneratorOptions
from genviews.views import RealViews

from .discriminators import TinyDiscriminator


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


def tiny_gan(views: RealViews) -> GAN:
    torch.manual_seed(0)
    return GAN(MLPGAN((8, 32, 64)), TinyDiscriminator((1, 8, 8)), views, GeneratorOptions(), GANOptions(r1_every=2))
