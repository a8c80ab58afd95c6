"""`genviews encoder`."""

from pathlib import Path

from .. import encoders
from ..encoders import Layout


def export(encoder: Path, layout: Layout = "torchvision", out: Path = Path("encoder.pth")) -> None:
    """Writes a ResNet encoder's weights for torchvision, timm or detectron2 to load.

    Examples:
      genviews encoder export runs/encoder --out resnet50.pth
      genviews encoder export runs/encoder --layout detectron2 --out resnet50-d2.pth

    Args:
        encoder: Folder by `genviews pretrain`, or a file released with COP-Gen, GenRep or DisCo.
        layout: Whose names of weights.
        out: The file, by torch.save; for detectron2's MODEL.WEIGHTS a .pth.
    """
    encoders.export(encoders.load(encoder), out, layout)
    print(out)


COMMAND = {"export": export}
