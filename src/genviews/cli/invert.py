"""`genviews invert`."""

from pathlib import Path
from typing import Any

from .. import data as datasets
from .. import devices, encoders, generators
from ..data import BadFile
from ..latents.inversion import InversionOptions, Method, require_invertible
from ..reports import write_report
from ..reports.inversion import save_pairs
from ..training import InversionEncoderOptions, train_inversion_encoder
from ..training.discovery_parts import in_space
from ..views import invert_images

ENCODER = InversionEncoderOptions()


def invert(
    generator: str,
    data: str,
    out: Path = Path("runs/inverted"),
    resume: bool = False,
    space: str | None = None,
    method: Method = "auto",
    perceptual: str | None = None,
    limit: int | None = None,
    encoder: InversionEncoderOptions = ENCODER,
    checkpoint_every: int = 200,
    log_every: int = 10,
    on_bad_file: BadFile = "error",
    **options: Any,
) -> None:
    """Inverts real images into a generator: finds latents that render them, for views of real images.

    Methods: encode (the generator's own encoder, exact of a flow), optimise (from the nearest of a few samples), in-domain (from
    an encoder that is trained first, and latents stay where it finds them: Zhu et al. 2020).

    Examples:
      genviews invert digits-flow digits
      genviews invert fashion-stylegan2 fashion-mnist --limit 1000 --encoder.steps 2000 --out runs/inverted
      genviews invert G.pt photos/ --space w --perceptual vgg16 --batch_size 128 --lr 0.01 --steps 1000

    Args:
        generator: A built-in name, a checkpoint file or a folder; an unconditional one.
        data: A data set by name or path, whose training part is inverted, at the generator's size and in its colours.
        out: Run folder; latents.safetensors has latents, errors and steps, encoder/ the encoder of in-domain.
        resume: Go on with the run in `out`.
        space: The latent space; w if the generator has it, else z, if not given.
        method: How; auto is encode if the generator encodes, else in-domain.
        perceptual: Features by which images are compared, beside their pixels: "vgg16", where torchvision keeps it, its file, or
            the folder of an encoder.
        limit: How many of the first images; all if not given.
        encoder: How the encoder of in-domain is trained.
        checkpoint_every: Steps between checkpoints of its training.
        log_every: Steps between rows of its metrics.csv.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
    """
    settings = InversionOptions(**options)
    found = in_space(generators.load(generator).to(devices.best()), space)[0]
    images = datasets.load(data, found.image_shape[-1], on_bad_file=on_bad_file).train
    require_invertible(found, images.image_shape)
    features = encoders.perceptual(perceptual).to(found.device) if perceptual else None
    learned = None
    if method == "in-domain" or (method == "auto" and not found.encodes):
        trainer = {"checkpoint_every": checkpoint_every, "log_every": log_every}
        learned = train_inversion_encoder(found, images, encoder, out / "encoder", resume, perceptual=features, **trainer)
        for part in filter(None, (found, features, learned)):
            part.to(devices.best())  # training leaves them on the CPU
    inversion = invert_images(
        found,
        images,
        out,
        method=method,
        encoder=learned,
        perceptual=features,
        options=settings,
        limit=limit,
        resume=resume,
        data=data,
        part="train",
    )
    save_pairs(out / "images", inversion, found, images)
    error, threshold, flagged = (inversion.about[name] for name in ("error", "threshold", "flagged"))
    print(
        f"{len(inversion.errors):,} images by {inversion.about['method']}: mean squared error {error:.3g}, "
        f"{flagged:,} flagged (above {threshold:.2g}); features: {inversion.about['perceptual'] or 'none, pixels alone'}"
    )
    print(write_report(out), out, sep="\n")


COMMAND = invert
