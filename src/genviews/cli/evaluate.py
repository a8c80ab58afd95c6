"""`genviews evaluate`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from .. import data as datasets
from .. import devices, encoders, evaluation, generators
from ..data import BadFile
from ..evaluation import Generation
from ..metrics import Classification


def _report(result: Classification, out: Path | None) -> None:
    low, high = result.interval
    print(f"top-1 {result.top1:.2%} (95% {low:.2%} to {high:.2%}), top-5 {result.top5:.2%}, {result.n:,} test images")
    _write(result, out)


def _write(result: Classification | Generation, out: Path | None) -> None:
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(asdict(result), indent=1) + "\n")


def linear(
    encoder: Path,
    data: str,
    labels_per_class: int | None = None,
    protocol: Literal["lbfgs", "sgd"] = "lbfgs",
    lr: float = 2.0,
    seed: int = 0,
    on_bad_file: BadFile = "error",
    out: Path | None = None,
) -> None:
    """A linear classifier on an encoder's frozen features, scored on the test part.

    Examples:
      genviews evaluate linear runs/encoder digits
      genviews evaluate linear runs/encoder mnist --labels_per_class 3

    Args:
        encoder: Folder by `genviews pretrain`, or a file released with COP-Gen, GenRep or DisCo.
        data: A data set by name or path.
        labels_per_class: Train on so few, averaged over several draws of them; all if not given.
        protocol: "lbfgs" (regularisation chosen on a held-out part) or "sgd" (the papers': 60 epochs, cosine).
        lr: Of "sgd", for a batch of 256; COP-Gen takes 2 for encoders from synthetic images and 0.3 for those from real ones.
        seed: Of the held-out part and the draws.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
        out: A JSON file for the result, per class too.
    """
    found, splits = encoders.load(encoder).to(devices.best()), datasets.load(data, on_bad_file=on_bad_file)
    result = evaluation.linear(found, splits, labels_per_class=labels_per_class, seed=seed, protocol=protocol, lr=lr)
    _report(result, out)


def knn(
    encoder: Path,
    data: str,
    k: int = 5,
    temperature: float | None = None,
    on_bad_file: BadFile = "error",
    out: Path | None = None,
) -> None:
    """Nearest neighbours in an encoder's feature space, scored on the test part.

    Examples:
      genviews evaluate knn runs/encoder digits
      genviews evaluate knn runs/encoder cifar10 --k 200 --temperature 0.07

    Args:
        encoder: Folder by `genviews pretrain`, or a file released with COP-Gen, GenRep or DisCo.
        data: A data set by name or path.
        k: Neighbours.
        temperature: Weigh neighbours by exp(cosine / temperature); a plain vote if not given.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
        out: A JSON file for the result.
    """
    _report(
        evaluation.knn(encoders.load(encoder).to(devices.best()), datasets.load(data, on_bad_file=on_bad_file), k, temperature),
        out,
    )


def generation(
    generator: str,
    data: str,
    features: Path | None = None,
    samples: int = 10_000,
    truncation: float | None = None,
    seed: int = 0,
    batch_size: int = 256,
    on_bad_file: BadFile = "error",
    out: Path | None = None,
) -> None:
    """A generator's samples against the test part: FID, precision, recall, inception score; a flow's likelihood; reconstructions.

    Samples are clamped to [0, 1] and rounded to 8 bits, as files hold them.

    Examples:
      genviews evaluate generation digits-flow digits
      genviews evaluate generation G.pt mnist --features lenet.pt --samples 5000 --out result.json
      genviews evaluate generation G.pt cifar10 --features pt_inception-2015-12-05-6726825d.pth

    Args:
        generator: A built-in name, a checkpoint file or a folder.
        data: A data set by name or path; loaded at the size of the generator's images.
        features: FID's InceptionV3, MNIST's LeNet, or an encoder's folder; if not given, a small classifier is trained on the
            data's labels.
        samples: How many to draw.
        truncation: psi: less than 1 for more typical images, in the family's own way.
        seed: Of the samples and of the classifier.
        batch_size: Images at once; the samples are the same for any.
        on_bad_file: An image file that cannot be read: "error" refuses the folder, "skip" leaves the file out and names it.
        out: A JSON file for the result.
    """
    found = generators.load(generator).to(devices.best())
    splits = datasets.load(data, found.image_shape[-1], on_bad_file=on_bad_file)
    if features is None:
        from ..training import ClassifierOptions, train_classifier  # takes seconds

        judge = train_classifier(splits, ClassifierOptions(seed=seed), name=Path(data).stem)
    else:
        judge = encoders.features(features)
    result = evaluation.generation(found, splits, judge, samples=samples, truncation=truncation, seed=seed, batch_size=batch_size)
    against = f"{result.samples:,} samples against {result.images:,} test images; features: {result.features}"
    print(f"FID                   {result.fid:.4g} ({against})")
    print(f"precision, recall     {result.precision:.3f}, {result.recall:.3f}")
    estimates = {
        "inception score": result.inception_score,
        "bits per dimension": result.bits_per_dim,
        "reconstruction error": result.reconstruction_error,
    }
    for name, estimate in estimates.items():
        if estimate:
            print(f"{name:<22}{estimate.mean:.4g} ± {estimate.error:.2g}")
    _write(result, out)


COMMAND = {
    "linear": linear,
    "knn": knn,
    "generation": generation,
    "finetune": "evaluate_finetune",
    "transfer": "evaluate_transfer",
    "ood": "evaluate_ood",
    "zoo": "evaluate_zoo",
    "detection": "evaluate_detection",
    "disentanglement": "evaluate_disentanglement",
    "mutual-information": "evaluate_information",
    "geometry": "evaluate_geometry",
}
